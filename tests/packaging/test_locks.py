"""The lock files carry hashes, agree with one another, and satisfy pyproject.toml."""

import re
import tomllib
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


def pinned(name: str, python: str) -> dict[str, str]:
    """Distribution to version, as a Linux machine with that Python installs it."""
    env = {
        "python_version": python,
        "python_full_version": f"{python}.1",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "sys_platform": "linux",
        "os_name": "posix",
        "platform_system": "Linux",
    }
    return {
        canonicalize_name(requirement.name): str(requirement.specifier).removeprefix("==")
        for requirement, _ in entries(name)
        if requirement.marker is None or requirement.marker.evaluate(env)
    }


def unmet(wanted: list[str], name: str, python: str) -> list[str]:
    pins = pinned(name, python)
    return [
        text
        for text in wanted
        if (requirement := Requirement(text)).name != "derctl"
        and not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
    ]


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


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_files_satisfy_pyproject(python: str) -> None:
    own = PROJECT["project"]["dependencies"]
    build = PROJECT["build-system"]["requires"]
    everything = [*own, *build, *(text for extra in EXTRAS.values() for text in extra)]
    assert not unmet(everything, "requirements.lock", python)
    assert not unmet(own, "requirements-run.lock", python)
    assert not unmet(build, "requirements-build.lock", python)
    assert not unmet([*own, *build, *EXTRAS["hil"], *EXTRAS["fast"]], "requirements-demo.lock", python)


def test_an_unmet_requirement_is_seen() -> None:
    assert unmet(["pymodbus>=99", "not-there>=1"], "requirements-run.lock", "3.11") == [
        "pymodbus>=99",
        "not-there>=1",
    ]
