"""The Debian package's own files; that it installs and starts on a clean Debian is `make deb-test`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEB = ROOT / "systemd/deb"
SCRIPTS = ("postinst", "prerm", "postrm")


def text(name: str) -> str:
    return (DEB / name).read_text(encoding="utf-8")


def fields() -> dict[str, str]:
    return dict(re.findall(r"^([A-Z][\w-]+): (.*)$", text("control.in"), re.MULTILINE))


@pytest.mark.parametrize(
    "script", [*(DEB / name for name in SCRIPTS), ROOT / "tools/deb.sh", ROOT / "tools/deb-test.sh"]
)
def test_each_script_is_one_that_sh_reads_and_that_ends_at_an_error(script: Path) -> None:
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
    assert re.search(r"^set -eu?$", script.read_text(encoding="utf-8"), re.MULTILINE)


def test_what_the_build_fills_in_is_all_that_is_open() -> None:
    open_ = set(re.findall(r"@(\w+)@", text("control.in")))
    assert open_ == set(re.findall(r"s/@(\w+)@/", (ROOT / "tools/deb.sh").read_text(encoding="utf-8")))


def test_it_depends_on_the_python_that_its_environment_is_made_for() -> None:
    assert {"python3 (>= @PYTHON@~)", "python3 (<< @NEXT@~)"} <= set(fields()["Depends"].split(", "))


def test_no_site_file_is_shipped_so_an_upgrade_has_none_to_ask_about() -> None:
    assert not (DEB / "conffiles").exists()
    assert "/etc/derctl/site.yaml" not in (ROOT / "tools/deb.sh").read_text(encoding="utf-8").replace(
        "ConditionPathExists=/etc/derctl/site.yaml", ""
    )


def ran(script: str, *arguments: str, folder: Path) -> str:
    """A script's output, with everything that it calls in the place of the machine's."""
    calls = folder / "bin"
    calls.mkdir(exist_ok=True)
    for name in ("systemctl", "deb-systemd-helper", "deb-systemd-invoke", "systemd-sysusers", "systemd-tmpfiles"):
        (calls / name).write_text("#!/bin/sh\nexit 0\n")
        (calls / name).chmod(0o755)
    (calls / "derctl").write_text("#!/bin/sh\necho 'pv1: a limit of 1,500 W stands'\nexit 1\n")
    (calls / "derctl").chmod(0o755)
    moved = text(script).replace("/etc/derctl", f"{folder}/etc").replace("/var/lib/derctl", f"{folder}/state")
    moved = moved.replace("/usr/lib/derctl", f"{folder}/lib").replace("/run/systemd/system", f"{folder}/no")
    done = subprocess.run(
        ["sh", "-c", moved, script, *arguments],
        env={"PATH": f"{calls}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """As it is with the package installed and a site file written."""
    for name in ("etc", "state", "lib/derctl/__pycache__"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "etc/site.yaml").touch()
    (tmp_path / "lib/derctl/__pycache__/a.pyc").touch()
    return tmp_path


def test_a_removal_says_what_stands_in_which_device_and_a_purge_says_it_again(machine: Path) -> None:
    assert "pv1: a limit of 1,500 W stands" in ran("prerm", "remove", folder=machine)
    assert not (machine / "lib/derctl/__pycache__").exists()
    ran("postrm", "remove", folder=machine)
    assert (machine / "etc/site.yaml").exists()
    assert "pv1: a limit of 1,500 W stands" in ran("postrm", "purge", folder=machine)
    assert not (machine / "etc").exists() and not (machine / "state").exists()


def test_a_purge_without_that_record_shows_what_was_written(machine: Path) -> None:
    (machine / "state/written.json").write_text('{"pv2": {"since": "2026-01-01"}}')
    assert "pv2" in ran("postrm", "purge", folder=machine)


def test_an_upgrade_neither_reads_devices_nor_touches_the_site_file(machine: Path) -> None:
    assert ran("prerm", "upgrade", "0.2", folder=machine) == ""
    assert (machine / "etc/site.yaml").exists()
