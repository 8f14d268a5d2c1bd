"""Pure rules about words: how a text is cut into those that it is found by, so that "ete" finds "Été"."""

import re
import unicodedata
from zlib import crc32

# A longer word is found by its beginning.
LONGEST = 60
MOST_WORDS = 4_000
MOST_WANTED = 8

# Letters that no rule of Unicode takes apart, as people type them who do not have them on their keys.
_TYPED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"})
# Chinese and Japanese put no blank between words, so each sign is one.
_SIGN = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]")
_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """The words of a text in their order: lower case, without marks, of letters and digits alone."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(char for char in plain if unicodedata.category(char)[0] != "M").translate(_TYPED)
    return [word[:LONGEST] for word in _WORD.findall(_SIGN.sub(r" \g<0> ", bare))]


def address_of(*texts: str) -> str:
    """ "Théâtre du Quai" and "Lyon" become "theatre-du-quai-lyon"; empty without a Latin letter or a digit."""
    return "-".join(word for text in texts for word in words_of(text) if word.isascii())[:100].strip("-")


def address_with(code: str, *texts: str) -> str:
    """ "theatre-du-quai-lyon-7k2m": four letters of the code keep apart what is called the same."""
    called = address_of(*texts)
    return f"{called}-{code[:4]}" if called else code


def address_of_city(name: str) -> str:
    """A city has no row that could hold its address, so the address follows from the name alone."""
    return address_of(name) or f"city-{crc32(name.encode()):08x}"


def found_by(*texts: str) -> str:
    """All words by which something with these texts is found, each once, with a blank between."""
    return " ".join(list(dict.fromkeys(word for text in texts for word in words_of(text)))[:MOST_WORDS])


def wanted(text: str) -> list[str]:
    """What somebody looks for: the first eight words, each once."""
    return list(dict.fromkeys(words_of(text)))[:MOST_WANTED]
