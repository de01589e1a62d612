"""The daemon's own installation is small, and exactly what its lock file says."""

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import derctl

ROOT = Path(__file__).parents[2]
TOOLS = {"pip", "setuptools"}
"""What a new virtual environment has."""


def locked(name: str) -> dict[str, str]:
    """Distribution to version."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return {canonical(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(installed: Any) -> dict[str, str]:
    listed = json.loads(installed.python("-m", "pip", "list", "--format=json", "--disable-pip-version-check"))
    return {canonical(each["name"]): each["version"] for each in listed}


def test_the_installation_is_what_the_lock_file_says(installed: Any) -> None:
    there = {name: version for name, version in distributions(installed).items() if name not in TOOLS}
    assert there == {**locked("requirements-run.lock"), "derctl": derctl.__version__}


def test_the_daemon_does_without_numpy_and_the_broker(installed: Any) -> None:
    assert not distributions(installed).keys() & {"numpy", "amqtt", "pytest", "hatchling"}


def test_the_installed_command_says_its_version(installed: Any) -> None:
    assert installed.derctl("--version").split() == ["derctl", derctl.__version__]


def test_both_packages_are_imported_from_the_installation(installed: Any) -> None:
    text = "import derctl, hil; print([derctl.__file__, hil.__file__])"
    for file in ast.literal_eval(installed.python("-c", text)):
        assert Path(file).is_relative_to(installed.root)


def test_every_module_of_the_daemon_can_be_imported_there(installed: Any) -> None:
    text = (
        "import derctl, importlib, pkgutil\n"
        "for info in pkgutil.walk_packages(derctl.__path__, 'derctl.'):\n"
        "    if not info.name.endswith('__main__'): importlib.import_module(info.name)"
    )
    installed.python("-W", "error", "-c", text)


def test_the_installed_command_prints_its_schema(installed: Any) -> None:
    assert "properties" in installed.derctl("schema")


def test_unit_user_and_examples_are_laid_out(installed: Any) -> None:
    etc = installed.root / "etc"
    for source, target in (
        ("systemd/derctl.service", etc / "systemd/system/derctl.service"),
        ("systemd/derctl.sysusers", etc / "sysusers.d/derctl.conf"),
    ):
        assert target.read_bytes() == (ROOT / source).read_bytes()
    assert (etc / "derctl").stat().st_mode & 0o777 == 0o750
    examples = {path.name for path in (ROOT / "config").glob("*.yaml")}
    assert {path.name for path in (etc / "derctl/examples").iterdir()} == examples
    assert not (etc / "derctl/site.yaml").exists()


def test_installing_again_and_removing_leaves_the_site_file_alone(
    tmp_path: Path, wheel: Path, install: Callable[..., None]
) -> None:
    site = tmp_path / "etc/derctl/site.yaml"
    site.parent.mkdir(parents=True)
    site.write_text("version: 1\n", encoding="utf-8")
    stale = tmp_path / "opt/derctl/lib/stale.py"
    stale.parent.mkdir(parents=True)
    stale.touch()

    install("--wheel", wheel, "--root", tmp_path)
    assert not stale.exists()
    assert (tmp_path / "opt/derctl/bin/derctl").exists()
    assert site.read_text(encoding="utf-8") == "version: 1\n"

    install("--uninstall", "--root", tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [site]


def test_a_folder_that_is_no_installation_is_not_removed(tmp_path: Path, install: Callable[..., None]) -> None:
    kept = tmp_path / "opt/derctl/kept"
    kept.parent.mkdir(parents=True)
    kept.touch()
    install("--uninstall", "--root", tmp_path)
    assert kept.exists()


def test_the_installer_refuses_what_it_does_not_know(install: Callable[..., None]) -> None:
    with pytest.raises(pytest.fail.Exception, match="-> 2"):
        install("--purge")
