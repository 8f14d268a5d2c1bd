"""Every requirement that applies is shown by something that exists, and docs/asvs.md says by what."""

import re
import tomllib

import pytest

from tests.asvs.coverage import LEAST_OF_LEVEL_2, PAGE, ROOT, Coverage, Proof, Requirement, markers, page, read


@pytest.fixture(scope="module")
def coverage() -> Coverage:
    return read()


def test_the_page_says_what_the_tests_say(coverage: Coverage) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(coverage), "run: make asvs"


def test_no_marker_names_a_requirement_that_is_unknown_or_does_not_apply(coverage: Coverage) -> None:
    assert coverage.unknown == {}


def test_everything_of_level_1_is_shown(coverage: Coverage) -> None:
    assert [row.id for row in coverage.applying("L1") if not coverage.is_shown(row)] == []


def test_of_level_2_enough_is_shown_and_the_rest_is_explained(coverage: Coverage) -> None:
    assert len(coverage.shown("L2")) >= LEAST_OF_LEVEL_2
    assert [f"{row.id} {row.title}" for row in coverage.open] == []


def test_documents_that_are_named_exist(coverage: Coverage) -> None:
    assert coverage.missing_places == []


def test_rules_of_the_linter_that_are_named_are_in_force(coverage: Coverage) -> None:
    chosen = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    named = {code for row in coverage.requirements if row.how == "check" for code in re.findall(r"\bS\d{3}\b", row.place)}
    assert named
    assert "S" in chosen["select"]
    assert named.isdisjoint(chosen["ignore"])


def test_every_row_says_how_and_where(coverage: Coverage) -> None:
    ids = [row.id for row in coverage.requirements]
    assert len(ids) == len(set(ids))
    for row in coverage.requirements:
        assert row.how in ("test", "check", "document", "deployment", "deviation", "not applicable"), row.id
        assert row.applies == (row.how != "not applicable"), row.id
        assert row.how == "test" or row.place, row.id
        assert 1 < len(row.title.split()) <= 12, row.id


def test_control_a_test_that_disappears_is_missed() -> None:
    row = Requirement("V1.1.1", "L1", "Chapter", True, "Some title", "test", "")
    proof = Proof("tests/test_a.py", "test_it")
    assert Coverage([row], {"V1.1.1": [proof]}).open == []
    assert Coverage([row], {}).open == [row]
    assert page(Coverage([row], {"V1.1.1": [proof]})) != page(Coverage([row], {}))
    assert Coverage([row], {"V1.1.2": [proof]}).unknown == {"V1.1.2": [proof]}


def test_control_a_deviation_is_none_without_a_reason_and_on_level_1_never() -> None:
    for level, reason, is_open in (("L2", "Because.", False), ("L2", "", True), ("L1", "Because.", True)):
        row = Requirement("V1.1.1", level, "Chapter", True, "Some title", "deviation", reason)
        assert bool(Coverage([row], {}).open) == is_open


def test_control_a_place_that_does_not_exist_is_named() -> None:
    row = Requirement("V1.1.1", "L1", "Chapter", True, "Some title", "document", "docs/asvs-documents.md#no-such-heading")
    assert Coverage([row], {}).missing_places == ["docs/asvs-documents.md#no-such-heading"]


def test_markers_are_found_wherever_they_stand() -> None:
    source = """
SHOWN = "V1.1.2"
pytestmark = [pytest.mark.asvs("V1.1.1")]

@pytest.mark.asvs(SHOWN, "V1.1.3")
async def test_one(): ...

@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.asvs("V1.1.4"))])
def test_two(x): ...
"""
    assert list(markers(source)) == [
        ("V1.1.1", "all of it"),
        ("V1.1.2", "test_one"),
        ("V1.1.3", "test_one"),
        ("V1.1.4", "test_two"),
    ]
