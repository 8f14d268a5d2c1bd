"""The README is true: every setting, command and dependency stands in it, and what it names exists."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_setting_is_explained_and_no_other() -> None:
    source = (ROOT / "app/core/settings.py").read_text()
    read = set(re.findall(r'reader\.\w+\(\s*"([A-Z_]+)"', source))
    table = README.split("## Configuration")[1].split("## The house")[0]
    explained = set(
        re.findall(r"`([A-Z][A-Z_]+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if "| `" in line))
    )
    assert read == explained


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[\[>=<]", dependency)[0] for dependency in project["dependencies"]}
    table = README.split("## Why each dependency")[1]
    explained = {name.strip() for row in re.findall(r"^\| ([\w ,-]+) \|", table, re.MULTILINE) for name in row.split(",")}
    assert names == explained - {"package"}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`| {4})make ([a-z]+)", README))))
def test_every_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_the_tree_names_every_room_of_the_house() -> None:
    tree = README.split("## The house")[1].split("Inside a feature")[0]
    rooms = {f"{path.name}/" for path in (ROOT / "app").iterdir() if path.is_dir() and not path.name.startswith("_")}
    files = {path.name for path in (ROOT / "app").glob("*.py") if path.name != "__init__.py"}
    assert {name for name in rooms | files if name not in tree} == set()


def test_every_command_exists() -> None:
    commands = set(re.findall(r"`python main\.py ([a-z-]+)", README))
    parser = (ROOT / "main.py").read_text()
    assert {command for command in commands if f'add_parser("{command}"' not in parser} == set()
