"""A page as a person reads it."""

import re

SILENT = re.compile(r"<(script|style|svg)\b.*?</\1>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")


def words(page: str) -> str:
    """The text of a page's HTML in one line; no-break spaces are spaces, and none stands before a full stop."""
    text = TAG.sub(" ", SILENT.sub(" ", page)).replace("&nbsp;", " ")
    return re.sub(r"\s+", " ", text).replace(" .", ".")
