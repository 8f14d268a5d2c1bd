"""Tables as files that a spreadsheet opens."""

import csv
import io
from collections.abc import Iterable, Sequence

# A cell that begins with one of these would be run as a formula.
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_file(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as CSV in UTF-8, with the mark by which Excel knows it. What would be a formula becomes plain text."""
    out = io.StringIO()
    csv.writer(out).writerows([_plain(value) for value in row] for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _plain(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(_BEGINS_A_FORMULA) else text
