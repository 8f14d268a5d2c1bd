"""A page as a person reads it."""

import re

SILENT = re.compile(r"<(script|style|svg)\b.*?</\1>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")


def words(page: str) -> str:
    """The text of a page's HTML in one line; a no-break space is a space, and an element that ends before a full stop leaves none."""
    text = TAG.sub(" ", SILENT.sub(" ", page)).replace("&nbsp;", " ")
    return re.sub(r"\s+", " ", text).replace(" .", ".")
