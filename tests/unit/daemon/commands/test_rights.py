"""What each principal may, by docs/interfaces.md: who is refused hears the rule, its place and the range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from derctl.daemon.commands.desk import Desk
from derctl.daemon.commands.intake import BURST, Intake, rates_of
from derctl.daemon.commands.rights import arguments, read, rights_of
from derctl.daemon.commands.rows import COMMANDS
from derctl.daemon.commands.strangers import Strangers
from derctl.daemon.log import logger
from derctl.daemon.requests import Requests
from derctl.errors import ConfigError
from derctl.site.schema import PrincipalSection
from tests.unit.daemon.commands.test_desk import House, World, command, value

DOCS = Path(__file__).parents[4] / "docs" / "interfaces.md"
LISTED = [
    {"name": "plain"},
    {"name": "arms", "may_arm": True},
    {"name": "fitter", "role": "installer"},
    {"name": "home", "role": "owner"},
    {
        "name": "agg",
        "role": "aggregator",
        "ders": ["bat1"],
        "ranges": {"p_ceiling_w": [500, 2000], "p_target_w": [-1000, 1500], "expires_s": [60, 3600]},
    },
    {"name": "eye", "commands": ["ping", "arm"]},
]
PRINCIPALS = msgspec.convert(LISTED, list[PrincipalSection])


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(Requests(lambda: 50.0))


@pytest.fixture
def desk(tmp_path: Path, house: House) -> Desk:
    world = World(tmp_path)
    world.set_clock()
    return Desk(house.reach, world.clock, logger(), rights=rights_of(PRINCIPALS))


def test_the_roles_and_their_commands_are_the_documents() -> None:
    """By its table. ROWS of later families stand there, too."""
    text = DOCS.read_text(encoding="utf-8").split("### Who may command", 1)[1].split("`may_arm: true`", 1)[0]
    rows = {line.split("`")[1]: line.split("|")[2] for line in text.splitlines() if line.startswith("| `")}
    found = {name: rights.commands for name, rights in rights_of(PRINCIPALS).items()}
    arms = {"arm", "release", "reload", "acknowledge", "replace", "lift_stop"}
    assert found["plain"] == COMMANDS.keys() - arms and "all but `arm`, `release`, `reload`" in rows["operator"]
    assert found["fitter"] == found["arms"] == COMMANDS.keys() and rows["installer"].strip() == "all"
    for name, role in (("home", "owner"), ("agg", "aggregator")):
        assert found[name] == {*rows[role].replace(" ", "").replace("`", "").split(",")}


SAYS: dict[str, tuple[str, str, dict[str, Any], str | None, str]] = {
    "who may arm by a word": ("arms", "arm", {"confirm": "c0ffee"}, None, "armed"),
    "an installer": ("fitter", "arm", {"confirm": "c0ffee"}, None, "armed"),
    "by its own list": ("eye", "arm", {"confirm": "c0ffee"}, None, "armed"),
    "not on its list": (
        "eye", "limit_power", {"p_ceiling_w": 1}, "not_permitted",
        "limit_power: eye may arm, ping (mqtt.principals[5].commands)",
    ),
    "an operator who may not arm": (
        "plain", "arm", {}, "may_not_arm",
        "the site file does not let plain arm over MQTT (mqtt.principals[0].may_arm)",
    ),
    "not its role's": (
        "agg", "disarm", {}, "not_permitted",
        "disarm: agg may battery_plan, change_limit, clear, demand_response, emergency_stop, floor_power, "
        "grid_limit, limit_power, operating_envelope, ping, publish_all, set_battery_power, why "
        "(mqtt.principals[4].role of aggregator)",
    ),
    "inside": ("agg", "limit_power", {"der": "bat1", "p_ceiling_w": 500}, None, "until 2026-11-21T12:10:00.000Z"),
    "below its range": (
        "agg", "limit_power", {"der": "bat1", "p_ceiling_w": 499}, "out_of_envelope",
        "p_ceiling_w = 499 is outside 500 to 2000, what agg may ask for (mqtt.principals[4].ranges.p_ceiling_w)",
    ),
    "beyond its range": (
        "agg", "set_battery_power", {"der": "bat1", "p_target_w": 1500.5}, "out_of_envelope",
        "p_target_w = 1500.5 is outside -1000 to 1500, what agg may ask for (mqtt.principals[4].ranges.p_target_w)",
    ),
    "for too long": (
        "agg", "limit_power", {"der": "bat1", "p_ceiling_w": 500, "expires_s": 3601}, "out_of_envelope",
        "expires_s = 3601 is outside 60 to 3600, what agg may ask for (mqtt.principals[4].ranges.expires_s)",
    ),
    "for too long, by a time": (
        "agg", "limit_power",
        {"der": "bat1", "p_ceiling_w": 500, "expires_s": None, "expires_at": "2026-11-21T13:00:01Z"},
        "out_of_envelope",
        "expires_s = 3601 is outside 60 to 3600, what agg may ask for (mqtt.principals[4].ranges.expires_s)",
    ),
    "a DER that is not its own": (
        "agg", "limit_power", {"der": "pv1", "p_ceiling_w": 500}, "not_permitted",
        "der = 'pv1': agg may command bat1 (mqtt.principals[4].ders)",
    ),
    "the whole site": (
        "agg", "limit_power", {"p_ceiling_w": 500}, "not_permitted",
        "this is for the whole site: agg may command bat1 (mqtt.principals[4].ders)",
    ),
    "a question": ("agg", "ping", {}, None, "pong"),
    "somebody else's limit": (
        "home", "clear", {"found": True}, "not_permitted",
        "found: home may take back what it asked for itself, and no limit of somebody else's",
    ),
    "who left the list": (
        "gone", "ping", {}, "not_permitted", "gone is not under mqtt.principals in the site file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAYS)
async def test_who_may_does_and_who_may_not_hears_rule_place_and_range(desk: Desk, house: House, name: str) -> None:
    who, what, fields, code, text = SAYS[name]
    payload = msgspec.json.decode(command(**fields))
    sent = msgspec.json.encode({key: each for key, each in payload.items() if each is not None})
    reply = await desk.by_mqtt(who, what, sent, False)
    assert (reply["code"], reply["text"]) == (code, text)
    if code is not None:
        assert (house.requests.alive(), house.lifted, house.changes) == ((), [], 0), "nothing is cut to fit"


async def test_an_owner_clears_its_own_alone_and_an_operator_everybody_s(desk: Desk, house: House) -> None:
    for n, who in enumerate(("plain", "home")):
        assert (await desk.by_mqtt(who, "limit_power", command(id=f"{n}", p_ceiling_w=1000 + n), False))[
            "code"
        ] is None
    reply = await desk.by_mqtt("home", "clear", command(id="c"), False)
    assert reply["text"] == "1 request dropped (home's own alone)"
    assert [value(each) for each in house.requests.alive()] == [1000.0]
    assert (await desk.by_mqtt("arms", "clear", command(id="c"), False))["text"] == "1 request dropped"
    assert house.requests.alive() == ()


async def test_a_refusal_by_the_rights_burns_no_id(desk: Desk) -> None:
    assert (await desk.by_mqtt("agg", "limit_power", command(der="bat1", p_ceiling_w=1), False))["code"]
    assert (await desk.by_mqtt("agg", "limit_power", command(der="bat1", p_ceiling_w=501), False))["code"] is None


async def test_over_the_socket_no_role_counts(desk: Desk) -> None:
    assert await desk.local("arm", {"confirm": "c0ffee"}, "agg") == "armed"


async def test_all_that_is_asked_is_noted_in_one_place_but_what_only_answers(desk: Desk) -> None:
    noted: list[tuple[Any, ...]] = []
    desk.note = lambda what, who, text, **more: noted.append((what, who, more["command"], more["code"], text))
    await desk.by_mqtt("agg", "ping", command(), False)
    await desk.by_mqtt("agg", "disarm", command(id="d"), False)
    await desk.local("disarm", {}, "anna")
    assert [each[:4] for each in noted] == [
        ("refusal", "agg", "disarm", "not_permitted"),
        ("command", "anna", "disarm", None),
    ]
    assert "not_permitted: disarm: agg may" in noted[0][4]


def test_a_rate_of_one_s_own_is_kept_and_the_refusal_names_its_place() -> None:
    listed = msgspec.convert([{"name": "a"}, {"name": "b", "burst": 3, "per_minute": 6}], list[PrincipalSection])
    sent: list[Any] = []
    now = [0.0]
    log = type("Log", (), {"log": lambda *given, **more: None})()
    intake = Intake(
        ("a", "b"), Strangers(lambda text: None), sent.append, lambda: "noon", log, lambda: now[0], rates_of(listed)
    )
    came = {who: sum(intake.admits(f"cmd/{who}/ping", b"{}", b"x") for _ in range(100)) for who in "ab"}
    assert came == {"a": BURST, "b": 3}
    refused = msgspec.json.decode(sent[-1].payload)
    said = "more than 3 commands at once and 6 a minute (mqtt.principals[1]: burst, per_minute)"
    assert (refused["code"], refused["text"], sent[-1].correlation) == ("rate_limited", said, b"x")
    now[0] = 20.0
    assert sum(intake.admits("cmd/b/ping", b"{}") for _ in range(100)) == 2


SITE = """\
version: 1
site: {id: house, v_nom_v: 230, f_nom_hz: 50}
mqtt: {host: 127.0.0.1, principals: [{name: home}, PRINCIPAL]}
buses: [{id: lan, tcp: {host: 127.0.0.1}}]
ders: [{id: pv1, bus: lan, unit: 1, kind: sunspec_pv, fallback: {p_ceiling_w: 3000, by: stands}}]
"""
WRONG = {
    "{name: a, role: boss}": ("role", "expected 'operator' or 'aggregator' or 'owner' or 'installer' (got 'boss')"),
    "{name: a, commands: [limitpower]}": ("commands[0]", "no command 'limitpower'; known are limit_power"),
    "{name: a, ranges: {p_ceilng_w: [0, 1]}}": (
        "ranges.p_ceilng_w",
        "no command has a number 'p_ceilng_w'; known are",
    ),
    "{name: a, ranges: {p_ceiling_w: [2, 1]}}": ("ranges.p_ceiling_w", "2 to 1 is no range: write the least first"),
    "{name: a, ranges: {p_ceiling_w: [1]}}": ("ranges", "length >= 2"),
    "{name: a, ders: [pv9]}": ("ders[0]", "no DER 'pv9'; known are pv1"),
    "{name: a, per_minute: 1000}": ("per_minute", "1000 is outside 0.01 to 300"),
    "{name: a, keys: [{id: k, public: abc}]}": ("keys[0].public", "43 characters of base64url"),
    f'{{name: a, keys: [{{id: k, public: {"A" * 43}, not_after: "soon"}}]}}': (
        "keys[0].not_after",
        "no time with a zone",
    ),
}


@pytest.mark.parametrize("row", WRONG)
def test_what_can_t_be_meant_is_refused_with_its_place(tmp_path: Path, row: str) -> None:
    path, says = WRONG[row]
    file = tmp_path / "site.yaml"
    file.write_text(SITE.replace("PRINCIPAL", row))
    with pytest.raises(ConfigError) as wrong:
        read(file)
    [problem] = wrong.value.problems
    assert (problem.line, problem.path) == (3, f"mqtt.principals[1].{path}")
    assert says in problem.message


def test_a_file_of_before_the_roles_means_what_it_did(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE.replace("PRINCIPAL", "{name: ops, may_arm: true}"))
    site = read(file)
    assert site.file.mqtt is not None
    found = rights_of(site.file.mqtt.principals)
    assert (found["home"].commands, found["ops"].commands) == (
        COMMANDS.keys() - {"arm", "release", "reload", "acknowledge", "replace", "lift_stop"},
        {*COMMANDS},
    )
    assert found["home"].others and found["home"].ders is None and found["home"].ranges == {}


def test_every_number_of_a_command_may_have_a_range() -> None:
    assert {"p_ceiling_w", "p_target_w"} <= arguments()
