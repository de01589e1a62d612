"""The lock files carry hashes, agree with one another, and satisfy pyproject.toml."""

import re
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-run.lock", "requirements-demo.lock", "requirements-build.lock")
PYTHONS = ("3.11", "3.12", "3.13")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]


def entries(name: str) -> list[tuple[Requirement, int]]:
    """Each requirement with the number of its hashes."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        requirement, _, hashes = line.partition("--hash=")
        found.append((Requirement(requirement), f"--hash={hashes}".count("--hash=sha256:")))
    return found


def machine(python: str) -> dict[str, str]:
    """A Linux machine with that Python, as markers ask for it."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.1",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "sys_platform": "linux",
        "os_name": "posix",
        "platform_system": "Linux",
    }


def pinned(name: str, python: str) -> dict[str, str]:
    """Distribution to version, as a Linux machine with that Python installs it."""
    env = machine(python)
    return {
        canonicalize_name(requirement.name): str(requirement.specifier).removeprefix("==")
        for requirement, _ in entries(name)
        if requirement.marker is None or requirement.marker.evaluate(env)
    }


def needed(name: str, extras: Iterable[str], python: str) -> list[Requirement]:
    """What that distribution requires, by the metadata of the one that the tests run with."""
    envs = [{**machine(python), "extra": extra} for extra in ("", *extras)]
    wanted = [Requirement(text) for text in metadata.requires(name) or []]
    return [each for each in wanted if each.marker is None or any(each.marker.evaluate(env) for env in envs)]


def missing(wanted: list[str], pins: dict[str, str], python: str) -> set[str]:
    """What is required, at any distance and through extras too, and is not pinned; with the one that requires it."""
    lacking: set[str] = set()
    asked = [(requirement, "derctl") for requirement in map(Requirement, wanted) if requirement.name != "derctl"]
    seen: set[tuple[str, str]] = set()
    while asked:
        requirement, by = asked.pop()
        key = canonicalize_name(requirement.name)
        if key not in pins or not requirement.specifier.contains(pins[key]):
            lacking.add(f"{by}: {requirement}")
        elif (key, str(requirement.extras)) not in seen:
            seen.add((key, str(requirement.extras)))
            asked += [(each, key) for each in needed(key, requirement.extras, python)]
    return lacking


@pytest.mark.parametrize("name", LOCKS)
def test_each_entry_is_pinned_and_has_hashes(name: str) -> None:
    assert entries(name)
    for requirement, hashes in entries(name):
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), requirement
        assert hashes >= 1, requirement


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_files_agree(name: str, python: str) -> None:
    large = pinned("requirements.lock", python)
    assert pinned(name, python).items() <= large.items()


# Nobody looks for what is missing when a lock is installed (`--no-deps` in tools/venv.sh).
@pytest.mark.parametrize("python", PYTHONS)
def test_each_lock_file_has_all_that_pyproject_asks_for_and_what_that_requires(python: str) -> None:
    own = PROJECT["project"]["dependencies"]
    build = PROJECT["build-system"]["requires"]
    everything = [*own, *build, *(text for extra in EXTRAS.values() for text in extra)]
    for wanted, name in (
        (everything, "requirements.lock"),
        (own, "requirements-run.lock"),
        (build, "requirements-build.lock"),
        ([*own, *build, *EXTRAS["hil"], *EXTRAS["fast"]], "requirements-demo.lock"),
    ):
        assert not missing(wanted, pinned(name, python), python), name


def test_what_is_missing_is_seen_at_any_distance() -> None:
    pins = {"pytest-cov": "7.1.0", "pymodbus": "3.16.1"}
    found = missing(["pymodbus>=99", "not-there", "pytest-cov"], pins, "3.11")
    assert {"derctl: pymodbus>=99", "derctl: not-there"} <= found
    assert any(each.startswith("pytest-cov: coverage[toml]") for each in found)
