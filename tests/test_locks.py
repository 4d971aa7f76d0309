"""The locks pin every package by hash and, like the whole repository, say nothing about where packages are fetched."""

import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = ["requirements.lock", "requirements-dev.lock"]

# In pieces, or this file would be the first to break its own rule.
ADDRESS = ":" + "//"
INDEX_OPTIONS = ["--" + option for option in ("index-url", "extra-index-url", "find-links")]
INDEX_HOSTS = [
    name + ending
    for name in ("py" + "pi", "python" + "hosted", "npm" + "js", "pi" + "wheels")
    for ending in (".org", ".com")
]


def read_pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def list_entries(lock: str) -> Iterator[str]:
    """The requirements of a lock, each with its continuation lines joined to one, comments left out."""
    lines = (ROOT / lock).read_text("utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return (entry for entry in text.replace("\\\n", " ").splitlines() if entry.strip())


def list_pins(lock: str) -> dict[str, list[Requirement]]:
    """The pinned requirements by normalised name; several where the version depends on the platform."""
    pins: dict[str, list[Requirement]] = {}
    for entry in list_entries(lock):
        pin = Requirement(entry.split("--hash=")[0])
        pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins


def get_version(pin: Requirement) -> str:
    """The version after `==`; raises ValueError when the requirement is no exact pin."""
    (specifier,) = pin.specifier
    if specifier.operator != "==":
        raise ValueError(f"{pin} is not pinned")
    return specifier.version


def is_met(requirement: Requirement, pins: list[Requirement]) -> bool:
    """Whether there is a pin, and on no platform one outside the wanted versions."""
    return bool(pins) and all(requirement.specifier.contains(get_version(pin)) for pin in pins)


def list_unmet(lock: str, requirements: list[str]) -> list[str]:
    """Those of the requirements that the lock does not meet."""
    pins = list_pins(lock)
    parsed = [Requirement(text) for text in requirements]
    return [str(wanted) for wanted in parsed if not is_met(wanted, pins.get(canonicalize_name(wanted.name), []))]


def list_repository_files() -> list[Path]:
    """Every file git tracks or would add; skips the test where there is no checkout to ask."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, or git is not installed: no list of the repository's files")
    listing = subprocess.run(
        [git, "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name for name in listing.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("forbidden", [ADDRESS, *INDEX_OPTIONS])
def test_a_lock_names_no_address_and_no_index(lock: str, forbidden: str) -> None:
    assert forbidden not in (ROOT / lock).read_text("utf-8")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_of_a_lock_is_pinned_and_hashed(lock: str) -> None:
    entries = list(list_entries(lock))
    assert entries
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_the_lock_meets_every_runtime_dependency() -> None:
    assert list_unmet("requirements.lock", read_pyproject()["project"]["dependencies"]) == []


def test_the_lock_holds_the_build_backend() -> None:
    """`pip install --no-build-isolation` finds no backend but an installed one."""
    pyproject = read_pyproject()
    assert pyproject["dependency-groups"]["build"] == pyproject["build-system"]["requires"]
    assert list_unmet("requirements.lock", pyproject["build-system"]["requires"]) == []


def test_the_development_lock_meets_every_extra_and_the_dev_group() -> None:
    pyproject = read_pyproject()
    extras = [text for extra in pyproject["project"]["optional-dependencies"].values() for text in extra]
    assert list_unmet("requirements-dev.lock", extras + pyproject["dependency-groups"]["dev"]) == []


def test_the_tests_run_on_the_versions_that_are_served() -> None:
    runtime, development = list_pins("requirements.lock"), list_pins("requirements-dev.lock")
    assert runtime == {name: development.get(name) for name in runtime}


def test_no_file_of_the_repository_names_a_package_index() -> None:
    files = {path: path.read_bytes().lower() for path in list_repository_files()}
    assert files
    assert [(path, host) for path, data in files.items() for host in INDEX_HOSTS if host.encode() in data] == []
