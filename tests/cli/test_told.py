"""What `check` tells beside problems: whose limits nobody may read, who may command, and a clock that is not set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from derctl.daemon.commands.rows import COMMANDS
from tests.cli.calls import Here, SiteFile

POC = "poc: {bus: lan, unit: 3, sign: 1}"
BROKER = (POC, f"{POC}\nmqtt: {{host: broker.example}}")
TLS = (POC, f"{POC}\nmqtt: {{host: broker.example, port: 8883, tls: {{ca_file: /etc/ca.pem}}}}")


def sync(word: str) -> tuple[str, str]:
    return "f_nom_hz: 50", f"f_nom_hz: 50, clock_sync: {word}"


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose kernel has no synchronised clock."""
    monkeypatch.setattr("derctl.daemon.clock._kernel_synced", lambda: False)


def flat(text: str) -> str:
    return " ".join(text.split())


def bare(text: str) -> str:
    """Without blanks: a path that is longer than a line goes on in the next."""
    return "".join(text.split())


@pytest.mark.usefixtures("unset")
async def test_a_clock_that_is_not_set_says_what_is_refused_and_how_to_say_that_it_is_good(
    here: Here, site_file: SiteFile
) -> None:
    code, out, _ = await here("check", "-c", str(site_file(BROKER)))
    text = flat(out)
    assert code == 0
    assert "this machine's clock is not synchronised" in text
    waits = [name for name, command in COMMANDS.items() if command.relaxing and command.waits]
    refused = [name for name, command in COMMANDS.items() if command.relaxing and not command.waits]
    assert "arm" in refused and {"clear", "set_battery_power"} <= {*waits}
    assert f"over MQTT {', '.join(waits)} wait for it, {', '.join(refused)} are refused (clock_unsynced), and" in text
    assert "limit_power lives for its whole expires_s" in text
    assert "Control itself goes on" in text
    assert "site.clock_sync: assume" in text
    found = json.loads((await here("check", "--json", "-c", str(site_file(BROKER))))[1])["clock"]
    assert (found["sync"], found["synced"], found["waits"], found["refused"]) == ("auto", False, waits, refused)
    assert found["text"] in text


@pytest.mark.usefixtures("unset")
@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([TLS], "mqtt.tls keeps the broker away"),
        ([], "commands over the socket are taken all the same"),
        ([BROKER, sync("/run/never/set")], "/run/never/set is not there: the clock is not set"),
        ([BROKER, sync("/run/never/set")], "Let what sets the clock make that file"),
    ],
)
async def test_what_waits_depends_on_the_site(
    here: Here, site_file: SiteFile, pairs: list[tuple[str, str]], says: str
) -> None:
    _, out, _ = await here("check", "-c", str(site_file(*pairs)))
    assert says in flat(out)


@pytest.mark.usefixtures("unset")
async def test_a_clock_that_is_taken_as_set_needs_no_words(here: Here, site_file: SiteFile, tmp_path: Path) -> None:
    there = tmp_path / "set"
    there.touch()
    for word in ("assume", str(there)):
        path = str(site_file(BROKER, sync(word)))
        assert "clock_sync" not in (await here("check", "-c", path))[1]
        assert json.loads((await here("check", "--json", "-c", path))[1])["clock"]["synced"] is True


@pytest.mark.parametrize(
    ("bms", "by", "says"),
    [
        ("", None, "where model 802 stands in its own chain; where none does, nobody reads them"),
        (", bms: {bus: lan, unit: 1}", "chain", "in its own chain; without them it rests"),
        (", bms: {bus: lan, unit: 7}", "bms", "from lan unit 7; without them it rests"),
    ],
)
async def test_who_reads_a_battery_s_limits_is_said_for_each(
    here: Here, site_file: SiteFile, bms: str, by: str | None, says: str
) -> None:
    row = "{id: pv1, bus: lan, unit: 1, kind: sunspec_pv, fallback: {p_ceiling_w: 3000, by: stands}}"
    battery = f"{{id: bat1, bus: lan, unit: 1, kind: sunspec_storage{bms}, fallback: {{p_ceiling_w: 0}}}}"
    path = str(site_file((row, battery)))
    _, out, _ = await here("check", "-c", path)
    assert f"bat1: its limits are read {says}" in flat(out)
    found = json.loads((await here("check", "--json", "-c", path))[1])
    assert found["batteries"]["bat1"]["limits_by"] == by


async def test_pv_has_no_such_limits(here: Here, site_file: SiteFile) -> None:
    assert json.loads((await here("check", "--json", "-c", str(site_file())))[1])["batteries"] == {}


LISTED = (POC, f"{POC}\nmqtt: {{host: broker.example, principals: [{{name: ops, may_arm: true}}, {{name: home}}]}}")
RIGHTS = (
    POC,
    f"{POC}\nmqtt: {{host: broker.example, principals: [{{name: ops, role: installer}}, "
    "{name: agg, role: aggregator, ders: [pv1], ranges: {p_ceiling_w: [500, 2000]}, per_minute: 6}]}",
)
NOBODY = (POC, f"{POC}\nmqtt: {{host: broker.example, principals: []}}")


@pytest.mark.parametrize(
    ("pairs", "command", "arm", "says", "asked"),
    [
        ([], [], [], "on this machine whoever may use", False),
        ([BROKER], [], [], "over MQTT nobody may command and nobody may arm; on this machine", True),
        ([NOBODY], [], [], "over MQTT nobody may command and nobody may arm; on this machine", False),
        (
            [RIGHTS],
            ["ops", "agg"],
            ["ops"],
            "over MQTT ops, agg may command and ops may arm; the broker's access list",
            False,
        ),
        (
            [LISTED],
            ["ops", "home"],
            ["ops"],
            "over MQTT ops, home may command and ops may arm; the broker's access list",
            False,
        ),
    ],
)
async def test_who_may_command_and_arm_is_said_and_a_broker_for_nobody_is_questioned(
    here: Here,
    site_file: SiteFile,
    pairs: list[tuple[str, str]],
    command: list[str],
    arm: list[str],
    says: str,
    asked: bool,
) -> None:
    path = str(site_file(*pairs))
    code, out, _ = await here("check", "-c", path)
    assert code == 0
    assert bare(f"who may command: {says}") in bare(out)
    assert ("nobody may command over MQTT: list who may in mqtt.principals" in flat(out)) == asked
    found = json.loads((await here("check", "--json", "-c", path))[1])
    assert (found["commanders"]["command"], found["commanders"]["arm"]) == (command, arm)
    assert bare(found["commanders"]["text"]) in bare(out)
    assert [question["path"] for question in found["questions"]] == (["mqtt"] if asked else [])


async def test_another_meter_and_who_follows_are_said(here: Here, site_file: SiteFile) -> None:
    more = "witness: {bus: lan, unit: 7, sign: 1}, followers: [wallbox]"
    path = str(site_file(("unit: 3, sign: 1", f"unit: 3, sign: 1, {more}")))
    code, out, _ = await here("check", "-c", path)
    assert code == 0
    assert bare("compared with that of lan unit 7; where they differ it is doubted") in bare(out)
    assert bare("followers: wallbox. While they answer its steps, the meter is unproven") in bare(out)
    found = json.loads((await here("check", "--json", "-c", path))[1])
    assert (found["witness"], found["followers"]) == ("lan", ["wallbox"])


@pytest.mark.parametrize(
    ("functions", "says"),
    [
        (
            "{kind: contract_export_limit, limit_w: 5000}",
            "while a DER that came back is on trial no steps are made: load counts",
        ),
        (
            "{kind: fuse_limit, fuse_a: 63, phase_count: 3}",
            "else only their sum: then one phase may carry more than its fuse",
        ),
        ("{kind: contract_export_limit, limit_w: 5000, probe: none}", ""),
        ("{kind: fuse_limit, fuse_a: 63, phase_count: 1}", ""),
    ],
)
async def test_what_the_meter_does_not_watch_is_said(
    here: Here, site_file: SiteFile, functions: str, says: str
) -> None:
    path = str(site_file(("{kind: contract_export_limit, limit_w: 5000}", functions)))
    _, out, _ = await here("check", "-c", path)
    assert bare(says) in bare(out)
    assert ("status says so" in flat(out)) is bool(says)


async def test_what_each_of_them_may_is_said(here: Here, site_file: SiteFile) -> None:
    path = str(site_file(RIGHTS))
    _, out, _ = await here("check", "-c", path)
    assert "agg aggregator: limit_power, change_limit, floor_power, set_battery_power, clear," in flat(out)
    assert "ping, publish_all, why; takes back its own alone; for pv1," in flat(out)
    assert "p_ceiling_w 500 to 2000 W; 64 at once and 6 a minute" in flat(out)
    [ops, agg] = json.loads((await here("check", "--json", "-c", path))[1])["commanders"]["rights"]
    assert "arm" in ops["commands"] and "disarm" not in agg["commands"]
    assert (agg["ders"], agg["ranges"], agg["others"]) == (["pv1"], {"p_ceiling_w": [500.0, 2000.0]}, False)
