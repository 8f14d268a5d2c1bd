"""A sentence about an activity that depends on its details."""

from collections.abc import Callable

from app.admin.told import Told


class Made:
    """Makes the sentence out of what is told."""

    def __init__(self, make: Callable[[Told], str]) -> None:
        self.make = make

    def __call__(self, told: Told) -> str:
        return self.make(told)
