"""Sets of numbers that lie mostly side by side, kept as spans from the first to the last number of each run."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

Span = tuple[int, int]


class Spans:
    """Spans that neither overlap nor touch, in ascending order."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._spans: list[Span] = []
        for first, last in spans:
            self.add(first, last)

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._spans, number, key=lambda span: span[0])
        return place > 0 and self._spans[place - 1][1] >= number

    def add(self, first: int, last: int) -> bool:
        """Whether none of these numbers was there before."""
        left = bisect_right(self._spans, first, key=lambda span: span[0])
        if left and self._spans[left - 1][1] >= first - 1:
            left -= 1
        right = bisect_right(self._spans, last + 1, key=lambda span: span[0])
        touched = self._spans[left:right]
        is_new = all(end < first or start > last for start, end in touched)
        ends = [first, last, *(end for span in touched for end in span)]
        self._spans[left:right] = [(min(ends), max(ends))]
        return is_new

    def holes(self, above: int, to: int) -> list[Span]:
        """The spans of what is missing among the numbers from above + 1 to `to`."""
        found, free = [], above + 1
        for first, last in self._spans:
            if first > to:
                break
            if first > free:
                found.append((free, first - 1))
            free = max(free, last + 1)
        return [*found, (free, to)] if free <= to else found


def spans_of(numbers: Iterable[int]) -> list[Span]:
    """The numbers, in whatever order, as spans."""
    return list(Spans((number, number) for number in sorted(numbers)))
