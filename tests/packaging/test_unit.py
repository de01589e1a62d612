"""The unit file: sandboxed, restarted where that helps, and released after every end."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from derctl.cli import exits, local
from derctl.daemon import clock
from derctl.daemon.presence import WATCHDOG_TICKS
from derctl.links.local import ANSWER_MAX, CLIENTS_MAX
from derctl.links.names import LOOK_UPS_MAX
from derctl.site.schema import SiteSection

ROOT = Path(__file__).parents[2]
FILE = ROOT / "systemd" / "derctl.service"


def settings(text: str) -> dict[str, list[str]]:
    """Key to its values in order; an empty value drops those before it, as in systemd."""
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE):
        found[key] = [*found.get(key, []), value] if value else []
    return found


UNIT = settings(FILE.read_text(encoding="utf-8"))


def one(key: str) -> str:
    (value,) = UNIT[key]
    return value


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        assert "CI" not in os.environ, "CI has systemd-analyze: `make test` installs it"
        pytest.skip("NOT TESTED: systemd-analyze is not installed")
    return found


def judge(analyze: str, *arguments: str | Path) -> tuple[int, str]:
    command = [analyze, "--no-pager", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"}
    )
    return done.returncode, done.stdout + done.stderr


def security(analyze: str, unit: Path) -> tuple[int, str]:
    return judge(analyze, "security", "--offline=yes", "--threshold=20", unit)


def test_a_reload_asks_the_daemon_itself() -> None:
    assert one("ExecReload") == "/bin/kill -HUP $MAINPID"


def test_systemd_finds_the_sandbox_tight(analyze: str) -> None:
    code, output = security(analyze, FILE)
    assert code == 0, output


def test_a_looser_sandbox_would_be_seen(analyze: str, tmp_path: Path) -> None:
    loose = tmp_path / "derctl.service"
    loose.write_text(re.sub(r"^(ProtectSystem|SystemCallFilter)=.*\n", "", FILE.read_text(), flags=re.MULTILINE))
    code, output = security(analyze, loose)
    assert code == 1, output


def test_the_broker_s_sandbox_is_as_tight_on_debian_s_unit(analyze: str, tmp_path: Path) -> None:
    """The drop-in that docs/hardening.md offers; `make system` brings mosquitto, and its unit."""
    unit = tmp_path / "mosquitto.service"
    own = Path("/lib/systemd/system/mosquitto.service").read_text(encoding="utf-8")
    unit.write_text(own + (ROOT / "config/mosquitto/sandbox.conf").read_text(encoding="utf-8"), encoding="utf-8")
    code, output = security(analyze, unit)
    assert code == 0, output
    assert not [
        line for line in judge(analyze, "verify", "--man=no", unit)[1].splitlines() if "mosquitto.service" in line
    ]


def verify(analyze: str, text: str, folder: Path) -> str:
    """What systemd says against the unit, with a program that is there in the place of ours.

    --man=no: a small Debian has no manual to look its pages up in.
    """
    unit = folder / "derctl.service"
    unit.write_text(text.replace("/opt/derctl/bin/derctl", "/bin/true"), encoding="utf-8")
    _, output = judge(analyze, "verify", "--man=no", unit)
    return "\n".join(line for line in output.splitlines() if "derctl.service" in line)


def test_systemd_has_nothing_to_say_against_the_unit(analyze: str, tmp_path: Path) -> None:
    assert not verify(analyze, FILE.read_text(encoding="utf-8"), tmp_path)


def test_a_word_that_systemd_does_not_know_would_be_seen(analyze: str, tmp_path: Path) -> None:
    assert verify(analyze, FILE.read_text(encoding="utf-8").replace("LockPersonality", "LockPersona"), tmp_path)


def test_systemd_is_told_by_the_daemon_alone() -> None:
    assert (one("Type"), one("NotifyAccess")) == ("notify", "main")
    assert one("ExecStart") == "/opt/derctl/bin/derctl run -c /etc/derctl/site.yaml"


def test_a_person_needs_neither_file_nor_socket_to_mean_the_service_s() -> None:
    assert one("ExecStart").endswith(f" -c {local.SITE_FILE}")
    assert local.SOCKET.parent == Path("/run", one("RuntimeDirectory"))
    assert str(local.SOCKET) in SiteSection.__struct_defaults__


def test_the_group_may_come_to_the_socket_and_nobody_else() -> None:
    """The socket's own mode, 0660, is tested where it is made."""
    assert (one("RuntimeDirectoryMode"), one("StateDirectoryMode")) == ("0750", "0750")
    assert one("Group") == "derctl"


def test_the_watchdog_waits_for_the_longest_tick() -> None:
    documented = re.search(r"tick_s: .*to (\d+)$", (ROOT / "docs/interfaces.md").read_text(), re.MULTILINE)
    assert documented is not None
    assert float(one("WatchdogSec")) >= 1.4 * float(documented[1])


def test_it_restarts_always_but_where_a_restart_changes_nothing() -> None:
    assert one("Restart") == "always"
    stops = {int(code) for code in one("RestartPreventExitStatus").split()}
    assert stops == {exits.USAGE, exits.BUSY, exits.CONFIG}
    assert one("StartLimitIntervalSec") == "0"
    assert float(one("RestartSec")) >= 5


def test_stopping_has_time_for_the_release() -> None:
    assert float(one("TimeoutStopSec")) >= 10
    assert one("KillMode") == "mixed"


@pytest.mark.parametrize(("status", "released"), [("0", True), ("KILL", True), ("70", True), ("75", False)])
def test_every_end_releases_unless_another_instance_holds_the_site(
    status: str, released: bool, tmp_path: Path
) -> None:
    command = re.fullmatch(r"/bin/sh -c '(.*)'", one("ExecStopPost"))
    assert command is not None
    fake = tmp_path / "derctl"
    fake.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    fake.chmod(0o755)
    script = command[1].replace("$$", "$").replace("/opt/derctl/bin/derctl", str(fake))
    done = subprocess.run(
        ["/bin/sh", "-c", script], env={"EXIT_STATUS": status}, capture_output=True, text=True, check=True
    )
    assert done.stdout == ("release --within 8 -c /etc/derctl/site.yaml\n" if released else "")


def test_its_folders_are_those_of_the_site_file_s_defaults() -> None:
    section = SiteSection.__struct_defaults__
    assert f"/var/lib/{one('StateDirectory')}" in section
    assert f"/run/{one('RuntimeDirectory')}/derctl.sock" in section


def test_it_runs_as_a_user_of_its_own_that_may_use_serial_ports() -> None:
    assert (one("User"), one("Group"), one("SupplementaryGroups")) == ("derctl", "derctl", "dialout")
    users = (ROOT / "systemd/derctl.sysusers").read_text(encoding="utf-8")
    assert re.search(r"^u +derctl ", users, re.MULTILINE)
    majors = {"char-ttyS rw", "char-166 rw", "char-188 rw", "char-204 rw"}
    assert (one("DevicePolicy"), set(UNIT["DeviceAllow"])) == ("closed", majors)


def test_the_daemon_can_still_ask_whether_the_clock_is_set() -> None:
    assert "adjtimex" in Path(clock.__file__).read_text(encoding="utf-8")
    assert "ProtectClock" not in UNIT
    assert {"adjtimex", "clock_adjtime"} <= set(UNIT["SystemCallFilter"][-1].split())
    assert UNIT["CapabilityBoundingSet"] == []


def test_control_waits_for_neither_network_nor_clock() -> None:
    waits = " ".join(UNIT.get("After", []) + UNIT.get("Wants", []) + UNIT.get("Requires", []))
    assert not re.search(r"network-online|time-sync|nss-lookup", waits)


def test_the_unit_bounds_what_the_daemon_may_use_up() -> None:
    """Clients can't take the wires' descriptors, and a leak ends in a restart and not in a dead machine."""
    assert int(one("LimitNOFILE")) >= 4 * CLIENTS_MAX
    assert int(one("MemoryMax").removesuffix("M")) * 2**20 > CLIENTS_MAX * ANSWER_MAX
    assert int(one("TasksMax")) >= LOOK_UPS_MAX + 16
    assert int(one("WatchdogSec")) == WATCHDOG_TICKS * 60
