"""Which requirement of OWASP ASVS 5.0 is shown by what: the rows of requirements.csv, and the markers on the tests.

A test says what it shows with @pytest.mark.asvs("V7.2.4"). The markers are read from the text of the tests, so that
nothing has to be imported or run, and a test that disappears leaves a gap that the build notices.
"""

import ast
import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).with_name("requirements.csv")
PAGE = ROOT / "docs" / "asvs.md"

# How a requirement is met without a marked test; each names its place.
WITHOUT_TEST = ("check", "document", "deployment")
LEAST_OF_LEVEL_2 = 120
NAMED_AT_MOST = 3

_DOCUMENT = re.compile(r"\bdocs/[a-z0-9/-]+\.md(?:#[a-z0-9-]+)?")


@dataclass(frozen=True)
class Requirement:
    """One row. `title` is in our own words; `place` says where it is shown, or why not, when no test shows it."""

    id: str
    level: str
    chapter: str
    applies: bool
    title: str
    how: str
    place: str


@dataclass(frozen=True)
class Proof:
    """A test that carries the marker."""

    path: str
    name: str

    def __str__(self) -> str:
        return f"`{self.path}` {self.name.removeprefix('test_').replace('_', ' ')}"


@dataclass
class Coverage:
    """Everything that the page and the build want to know."""

    requirements: list[Requirement]
    proofs: dict[str, list[Proof]] = field(default_factory=dict)

    def is_shown(self, requirement: Requirement) -> bool:
        """A deviation is none, even where a test shows a part of it."""
        if requirement.how == "deviation":
            return False
        return bool(self.proofs.get(requirement.id)) or requirement.how in WITHOUT_TEST

    def applying(self, level: str) -> list[Requirement]:
        return [requirement for requirement in self.requirements if requirement.applies and requirement.level == level]

    def shown(self, level: str) -> list[Requirement]:
        return [requirement for requirement in self.applying(level) if self.is_shown(requirement)]

    @cached_property
    def unknown(self) -> dict[str, list[Proof]]:
        """Markers with an id that no row has, or whose row does not apply."""
        applying = {requirement.id for requirement in self.requirements if requirement.applies}
        return {id: proofs for id, proofs in self.proofs.items() if id not in applying}

    @cached_property
    def open(self) -> list[Requirement]:
        """Rows of level 1 and 2 that apply, that nothing shows, and that no deviation explains."""
        return [
            requirement
            for level in ("L1", "L2")
            for requirement in self.applying(level)
            if not self.is_shown(requirement) and not (level == "L2" and requirement.how == "deviation" and requirement.place)
        ]

    @cached_property
    def missing_places(self) -> list[str]:
        """Documents and headings that a row names and that do not exist."""
        named = {found for requirement in self.requirements for found in _DOCUMENT.findall(requirement.place)}
        return sorted(place for place in named if not _exists(place))


def read() -> Coverage:
    """The rows and the markers as they are now."""
    with REQUIREMENTS.open(encoding="utf-8", newline="") as lines:
        rows = [Requirement(**row | {"applies": row["applies"] == "yes"}) for row in csv.DictReader(lines)]
    proofs: dict[str, list[Proof]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for id, name in markers(path.read_text(encoding="utf-8")):
            proofs[id].append(Proof(path.relative_to(ROOT).as_posix(), name))
    # A test may stand in several markers with the same id.
    return Coverage(rows, {id: list(dict.fromkeys(found)) for id, found in proofs.items()})


def markers(source: str) -> Iterator[tuple[str, str]]:
    """(id, name of the test) for every marker in a file; a marker of the whole file has the name "all of it"."""
    tree = ast.parse(source)
    words = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                yield from ((id, node.name) for id in _ids(decorator, words))
        elif isinstance(node, ast.Assign) and any(
            isinstance(name, ast.Name) and name.id == "pytestmark" for name in node.targets
        ):
            yield from ((id, "all of it") for id in _ids(node.value, words))


def page(coverage: Coverage) -> str:
    """The text of docs/asvs.md."""
    counts = [f"| {level} | {len(coverage.applying(level))} | {len(coverage.shown(level))} |" for level in ("L1", "L2")]
    deviations = [row for row in coverage.requirements if row.how == "deviation"]
    lines = [
        "# OWASP ASVS 5.0: what shows what",
        "",
        "Written by `make asvs` from `tests/asvs/requirements.csv` and the markers on the tests; do not edit it by hand.",
        "The build fails when a test that is named here disappears, or when a requirement loses its last proof.",
        "",
        "The requirements are those of the OWASP Application Security Verification Standard 5.0.0 (CC BY-SA 4.0),",
        "levels 1 and 2, and a few of level 3 taken on purpose. The titles are our own words and much shorter: the standard",
        "decides.",
        "",
        "| level | applies | shown |",
        "|---|---|---|",
        *counts,
        "",
        "## Deviations",
        "",
        *[f"- **{row.id}** {row.title}. {row.place}" for row in deviations],
    ]
    chapter = ""
    for row in coverage.requirements:
        if row.level == "L3" and not coverage.is_shown(row):
            continue
        if row.chapter != chapter:
            chapter = row.chapter
            lines += ["", f"## {row.id.split('.')[0]} {chapter}", "", "| id | level | in short | shown by |", "|---|---|---|---|"]
        lines.append(f"| {row.id} | {row.level[1]} | {row.title} | {shown_by(coverage, row)} |")
    return "\n".join(lines) + "\n"


def shown_by(coverage: Coverage, row: Requirement) -> str:
    if not row.applies:
        return f"does not apply: {row.place}"
    proofs = coverage.proofs.get(row.id, [])
    named = [str(proof) for proof in proofs[:NAMED_AT_MOST]]
    if len(proofs) > NAMED_AT_MOST:
        named.append(f"and {len(proofs) - NAMED_AT_MOST} more")
    if row.how == "deviation":
        named.append("deviation")
    elif row.place:
        named.append(_DOCUMENT.sub(_link, row.place))
    return "<br>".join(named) or "**open**"


def _ids(node: ast.AST, words: dict[str, object]) -> Iterator[str]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "asvs":
            for argument in call.args:
                value = words.get(argument.id) if isinstance(argument, ast.Name) else getattr(argument, "value", None)
                yield str(value)


def _link(found: re.Match[str]) -> str:
    path, _hash, anchor = found[0].partition("#")
    text = anchor.replace("-", " ") if anchor else path
    return f"[{text}]({found[0].removeprefix('docs/')})"


def _exists(place: str) -> bool:
    path, _hash, anchor = place.partition("#")
    document = ROOT / path
    return document.exists() and (not anchor or anchor in _anchors(document.read_text(encoding="utf-8")))


def _anchors(text: str) -> set[str]:
    """The names by which Markdown headings can be linked: small letters, hyphens for spaces, nothing else."""
    headings = re.findall(r"^#+ +(.+?) *$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
