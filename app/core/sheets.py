"""Tables as files that a spreadsheet opens."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

# A cell that begins with one of these would be run as a formula. Blanks before it are passed over by some programs, and
# the wide signs of Japanese keyboards count as the narrow ones.
_BEGINS_A_FORMULA = re.compile(r"\A(?:[\s\0\u200b\ufeff]*[=+\-@＝＋－＠]|[\t\r\n])")


# Excel knows UTF-8 by it.
MARK = b"\xef\xbb\xbf"


def csv_file(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as CSV in UTF-8, with the mark by which Excel knows it. What would be a formula becomes plain text."""
    return MARK + csv_rows(rows)


def csv_rows(rows: Iterable[Sequence[object]]) -> bytes:
    """The same without the mark: a part of a file that is written in several."""
    out = io.StringIO()
    # All cells are quoted: half of Europe's spreadsheets take a semicolon for the end of one that is not.
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([_plain(value) for value in row] for row in rows)
    return out.getvalue().encode()


def _plain(value: object) -> str:
    text = str(value)
    return f"'{text}" if _BEGINS_A_FORMULA.match(text) else text
