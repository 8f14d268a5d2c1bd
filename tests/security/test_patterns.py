"""Regular expressions: none takes long over ten thousand hostile characters."""

import ast
import re
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LENGTH = 10_000
# The aim is ten milliseconds. What grows with the square of the length takes half a second and more, so the bound may be wide.
SECONDS = 0.1
FUNCTIONS = {"compile", "match", "search", "sub", "subn", "fullmatch", "findall", "finditer", "split"}


@cache
def patterns() -> dict[str, str]:
    """Every pattern of the shop, by where it stands. What is put together keeps its written parts."""
    found = {}
    for path in sorted([*(ROOT / "app").rglob("*.py"), ROOT / "main.py"]):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "re":
                if node.func.attr in FUNCTIONS:
                    # A pattern that is only asked at the beginning may be one that is slow to search with.
                    anchored = "\\A" if node.func.attr in ("match", "fullmatch") else ""
                    pattern = f"{anchored}(?:{written(node.args[0])})"
                    found[f"{path.relative_to(ROOT)} {pattern}"] = pattern
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("Regexp", "validators.Regexp"):
                pattern = written(node.args[0])
                found[f"{path.relative_to(ROOT)} {pattern}"] = pattern
    return found


def written(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else bytes(node.value).decode("latin-1")  # type: ignore[arg-type]
    if isinstance(node, ast.BinOp):
        return written(node.left) + written(node.right)
    if isinstance(node, ast.JoinedStr):
        return "".join(written(part) for part in node.values if isinstance(part, ast.Constant))
    return "types"


def attacks(pattern: str) -> Iterator[str]:
    """Runs of every character that the pattern could want, alone, in pairs and after its own words, with a wrong end."""
    letters = [*dict.fromkeys(re.findall(r"[^\\\[\]{}()*+?|^$]", pattern)), *"aA0 \t\n-_./:<>=\"'&;@é\u0301"]
    words = re.findall(r"[A-Za-z0-9<:/_ .-]{2,}", pattern)
    for end in ("", "!", "\x00", "\n"):
        yield from ((unit * LENGTH)[: LENGTH - 1] + end for unit in dict.fromkeys(letters + words))
        yield from ((word + letter * 3) * (LENGTH // (len(word) + 3)) + end for word in words[:6] for letter in letters[:12])
    yield from ((one + other) * (LENGTH // 2) + "!" for one in letters[:12] for other in letters[:12])


def slowest(pattern: str) -> float:
    """CPU seconds of the slowest attack, by search, which begins anew at every character."""
    compiled, worst = re.compile(pattern), 0.0
    for attack in attacks(pattern):
        needed = seconds_of(compiled, attack)
        if needed > SECONDS:
            # The collector of garbage may have come just then; a pattern that is slow is slow each time.
            needed = min(seconds_of(compiled, attack) for _time in range(2))
        worst = max(worst, needed)
        if worst > SECONDS:
            break
    return worst


def seconds_of(compiled: re.Pattern[str], attack: str) -> float:
    start = time.thread_time()
    compiled.search(attack)
    compiled.match(attack)
    compiled.fullmatch(attack)
    return time.thread_time() - start


def test_the_patterns_are_found() -> None:
    assert len(patterns()) >= 15


@pytest.mark.asvs("V1.2.9", "V15.2.2")
@pytest.mark.parametrize("place", patterns())
def test_no_pattern_takes_long(place: str) -> None:
    assert slowest(patterns()[place]) < SECONDS, patterns()[place]


@pytest.mark.parametrize("pattern", [r"\s+$", r"(.*)=(.*)x"])
def test_a_slow_pattern_would_be_found(pattern: str) -> None:
    """The negative control, with patterns of the kind that have stopped large sites."""
    assert slowest(pattern) > SECONDS
