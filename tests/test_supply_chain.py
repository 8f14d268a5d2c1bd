"""What comes from others is the file that was looked at: packages, vendored files, the base image, the actions of the CI."""

import hashlib
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
LOCK = tomllib.loads((ROOT / "uv.lock").read_text())
MINIFIED = ("*.min.js", "*.min.css", "*.woff2", "*.ttf", "*.wasm")


def unhashed(lock: dict[str, Any]) -> list[str]:
    """Packages that could be another file than the one that was locked, or come from elsewhere than PyPI."""
    faults = []
    for package in lock["package"]:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        is_ours = package["source"] == {"virtual": "."}
        comes_from_pypi = package["source"] == {"registry": "https://pypi.org/simple"}
        hashed = files and all(re.fullmatch(r"sha256:[0-9a-f]{64}", file.get("hash", "")) for file in files)
        if not is_ours and not (comes_from_pypi and hashed):
            faults.append(package["name"])
    return faults


def unpinned(texts: dict[str, str]) -> list[str]:
    """Images without a digest, actions without a commit, and packages that pip may choose by itself."""
    faults = []
    for path, text in texts.items():
        for line in text.splitlines():
            image = re.match(r"(?:FROM|ARG PYTHON=?) ?=?(\S+)", line)
            action = re.search(r"uses: (\S+)", line)
            if image and not image[1].startswith("${") and not re.search(r"@sha256:[0-9a-f]{64}$", image[1]):
                faults.append(f"{path}: {line.strip()}")
            if action and not re.search(r"@[0-9a-f]{40}$", action[1]):
                faults.append(f"{path}: {line.strip()}")
            if "pip install" in line and "--require-hashes" not in line:
                faults.append(f"{path}: {line.strip()}")
    return faults


def listed() -> dict[str, str]:
    """The sums of static/LICENSES.md by path."""
    text = (ROOT / "static/LICENSES.md").read_text()
    return dict(re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", text, re.MULTILINE))


@pytest.mark.asvs("V15.1.2")
def test_every_locked_package_has_its_sum_and_comes_from_pypi() -> None:
    assert unhashed(LOCK) == []
    assert len(LOCK["package"]) > 50


@pytest.mark.parametrize(
    "planted",
    [
        {"name": "x", "source": {"registry": "https://pypi.org/simple"}, "wheels": [{"url": "https://x"}]},
        {"name": "x", "source": {"registry": "https://pypi.org/simple"}},
        {"name": "x", "source": {"git": "https://example.org/x"}, "wheels": [{"hash": "sha256:" + "0" * 64}]},
    ],
)
def test_a_planted_package_is_found(planted: dict[str, Any]) -> None:
    assert unhashed({"package": [planted]}) == ["x"]


def test_images_actions_and_installers_are_pinned() -> None:
    paths = [ROOT / "Dockerfile", *(ROOT / ".github/workflows").glob("*.yml")]
    assert unpinned({path.name: path.read_text() for path in paths}) == []


@pytest.mark.parametrize(
    "planted", ["FROM python:3.13-slim AS build", "ARG PYTHON=python:3.13", "  - uses: actions/checkout@v4", "RUN pip install uv"]
)
def test_a_planted_loose_version_is_found(planted: str) -> None:
    assert unpinned({"planted": planted})


def test_the_image_holds_the_shop_and_nothing_else() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    assert not {"!tests", "!.git", "!data", "!bench", "!.env"} & set(ignored)
    docker = (ROOT / "Dockerfile").read_text()
    assert "USER shop" in docker
    assert "--no-dev" in docker
    assert "DEMO" not in docker


@pytest.mark.asvs("V15.1.2")
def test_vendored_files_are_those_that_were_looked_at() -> None:
    found = {path: hashlib.sha256((ROOT / path).read_bytes()).hexdigest() for path in listed()}
    assert found == listed()


@pytest.mark.asvs("V15.1.2")
def test_every_vendored_file_is_listed() -> None:
    rooms = [ROOT / name for name in ("static", "app", "tests", "templates")]
    there = {str(path.relative_to(ROOT)) for room in rooms for shape in MINIFIED for path in room.rglob(shape)}
    assert there - set(listed()) == set()
    assert len(there) >= 6


@pytest.mark.asvs("V15.1.2")
def test_the_list_of_what_the_shop_consists_of_can_be_written_without_a_network(tmp_path: Path) -> None:
    uv = shutil.which("uv") or str(ROOT / ".venv/bin/uv")
    command = [uv, "export", "--frozen", "--no-dev", "--offline", "--format", "cyclonedx1.5", "--quiet"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as missing:
        pytest.skip(f"uv cannot be run here: {missing}")
    sbom = json.loads(done.stdout)
    assert sbom["bomFormat"] == "CycloneDX"
    names = {component["name"] for component in sbom["components"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {re.split(r"[\[>=<]", dependency)[0] for dependency in project["dependencies"]} <= names
    assert "canary" not in done.stdout


def test_only_known_licences_are_in_the_image() -> None:
    """Nothing under a licence that would bind who runs the shop; the packages say theirs themselves."""
    import importlib.metadata

    binding = re.compile(r"\b(A?GPL|GNU (Affero )?General Public|SSPL|BUSL|Commons Clause)", re.IGNORECASE)
    faults = []
    for package in LOCK["package"]:
        try:
            about = importlib.metadata.metadata(package["name"])
        except importlib.metadata.PackageNotFoundError:
            continue
        said = " ".join([about.get("License-Expression") or "", *(about.get_all("Classifier") or [])])
        licences = " ".join(part for part in said.split(" :: ") if "License" in said)
        if binding.search(licences) and "Lesser" not in licences:
            faults.append(package["name"])
    assert faults == []
