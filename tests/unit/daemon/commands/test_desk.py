"""Commands as docs/interfaces.md section 3 has them: who is admitted, who is refused, with which code."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from derctl.core.requests import BatteryRequest, LimitRequest, Request
from derctl.core.types import Capability, DerState, Port, Reading, SiteState
from derctl.core.value import replace
from derctl.core.words import Refusal, Released
from derctl.daemon.actuate.release import Release
from derctl.daemon.arming import Arming
from derctl.daemon.clock import Clock
from derctl.daemon.commands.desk import Desk
from derctl.daemon.commands.row import Found, Reach
from derctl.daemon.commands.rows import COMMANDS
from derctl.daemon.known import Known
from derctl.daemon.log import logger
from derctl.daemon.requests import Requests
from derctl.errors import CommandError
from derctl.store.answered import ANYBODY, IDS_MAX, Answered
from tests import make
from tests.unit.daemon.test_known import seen

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class World:
    """A wall clock that the test moves, and whether it is set."""

    tmp: Path
    wall_s: float = NOON.timestamp()
    monotonic_s: float = 50.0

    @property
    def clock(self) -> Clock:
        return Clock(str(self.tmp / "synced"), lambda: self.wall_s)

    def set_clock(self) -> None:
        (self.tmp / "synced").touch()

    def later(self, seconds: float) -> None:
        self.wall_s += seconds
        self.monotonic_s += seconds


def der(der_id: str, p_max_w: float, p_min_w: float = 0.0) -> DerState:
    rating = make.rating(p_max_w=p_max_w, p_min_w=p_min_w, q=0.0)
    return make.der(der_id, rating, Capability(ac=Port(limit=True)))


@dataclass
class House:
    """What a command may touch: a PV inverter of 5000 W and a battery of +-3000 W."""

    requests: Requests
    functions: set[tuple[str, str]] = field(
        default_factory=lambda: {("operator_limit", "pv1"), ("operator_limit", "bat1"), ("setpoint", "bat1")}
    )
    armed: list[str] = field(default_factory=list)
    changes: int = 0
    saved_before_release: list[int] = field(default_factory=list)
    releasing: bool = False
    open: bool = True
    pv1_w: float = 5000.0
    lifted: list[str] = field(default_factory=list)
    bad_file: bool = False
    kept: list[str] = field(default_factory=list)
    full: bool = False
    looking: Callable[[], None] = lambda: None
    known: Known = field(default_factory=Known)
    own_on: tuple[str, ...] = ()

    async def replace(self, der: str) -> str:
        return f"{der}: serial SN9 takes the place of SN1"

    async def save(self) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.changes += 1

    @property
    def reach(self) -> Reach:
        gate, releaser, plan = cast(Any, _Gate(self)), cast(Any, _Releaser(self)), cast(Any, _Plan(self))
        return Reach(
            plan=plan,
            requests=self.requests,
            gate=gate,
            releaser=releaser,
            state=self.state,
            changed=self.changed,
            look=self.look,
            save=self.save,
            found=Found(lift=self.lift_found, keep=self.kept.extend),
            known=self.known,
            replace=self.replace,
            reread=self.reread,
        )

    async def reread(self) -> str:
        self.armed.append("reread")
        if self.bad_file:
            raise CommandError(Refusal.BAD_SITE_FILE, "site.yaml:3: no DER")
        return "taken over: pv1"

    async def look(self, seconds: float) -> None:
        self.armed.append("looked")
        self.looking()

    def lift_found(self, der: str | None) -> list[str]:
        """One stands in pv1."""
        ids = [name for name in ("pv1",) if der in {None, name}]
        self.lifted += ids
        return ids

    def state(self) -> SiteState:
        pv1 = replace(der("pv1", self.pv1_w), reading=Reading(own_on=self.own_on, own_off=("freq_droop",)))
        ders = (pv1, der("bat1", 3000.0, -3000.0))
        return SiteState(t_s=0.0, tick_s=1.0, f_nom_hz=50.0, ders=ders)

    def changed(self) -> None:
        self.changes += 1


@dataclass
class _Plan:
    house: House

    @property
    def der_functions(self) -> list[tuple[Any, tuple[str, ...]]]:
        return [(SimpleNamespace(kind=kind), (der,)) for kind, der in self.house.functions]

    also_on_device = frozenset({"volt_var"})


@dataclass
class _Gate:
    house: House
    warning: str | None = None
    arming: Arming = field(default_factory=Arming)

    @property
    def disarms(self) -> int:
        return self.house.armed.count("disarm")

    def undo(self, before: None) -> Callable[[], None]:
        return lambda: self.house.armed.append("taken back")

    @property
    def open(self) -> bool:
        return self.house.open

    def ask(self, by: str, confirm: str | None, also: Sequence[str] = ()) -> None:
        if confirm is None:
            raise CommandError("unconfirmed", "pv1: nothing\nsay it again", confirm="c0ffee")
        self.house.armed.append(f"arm by {by} with {confirm}")

    def disarm(self, by: str) -> None:
        self.house.armed.append("disarm")


@dataclass
class _Releaser:
    house: House

    @property
    def releasing(self) -> bool:
        return self.house.releasing

    async def release(self, *, lift: bool) -> dict[str, Release]:
        self.house.armed += ["lifted"] if lift else []
        self.house.saved_before_release.append(self.house.changes)
        return {"pv1": Release(Released.RELEASED), "bat1": Release(Released.REFUSED, "exception 4")}


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.set_clock()
    return world


@pytest.fixture
def house(world: World) -> House:
    return House(Requests(lambda: world.monotonic_s))


@pytest.fixture
def desk(world: World, house: House) -> Desk:
    return Desk(house.reach, world.clock, logger(), may_arm=frozenset({"ops"}))


def command(*, age_s: float = 0.0, **fields: Any) -> bytes:
    issued = (NOON - timedelta(seconds=age_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({"id": "a1b2", "issued_at": issued, "expires_s": 600} | fields).encode()


LIMIT = {"p_ceiling_w": 4000}


async def code_of(desk: Desk, name: str, payload: bytes, *, retained: bool = False) -> str | None:
    reply = await desk.by_mqtt("ops", name, payload, retained)
    assert reply["result"] == ("admitted" if reply["code"] is None else "refused")
    code: str | None = reply["code"]
    return code


def value(request: Request) -> float:
    """What it asks for, W."""
    return request.p_ceiling_w if isinstance(request, LimitRequest) else cast(BatteryRequest, request).p_target_w


# -- admitted -------------------------------------------------------------------------------------------------------


async def test_an_admitted_limit_is_held_for_the_rest_of_its_life(desk: Desk, world: World, house: House) -> None:
    reply = await desk.by_mqtt("ops", "limit_power", command(age_s=100.0, p_ceiling_w=4000, der="pv1"), False)
    assert (reply["id"], reply["command"], reply["result"], reply["code"]) == (
        "a1b2",
        "limit_power",
        "admitted",
        None,
    )
    assert reply["text"] == "until 2026-11-21T12:08:20.000Z"
    assert reply["t"] == "2026-11-21T12:00:00.000Z"
    (held,) = house.requests.alive()
    assert (held.id, held.der, value(held), held.remaining_s) == ("a1b2", "pv1", 4000.0, pytest.approx(500.0))
    assert house.changes == 1, "it has to survive a restart"
    world.later(499.0)
    assert house.requests.alive()
    world.later(2.0)
    assert house.requests.alive() == ()


async def test_every_documented_command_is_in_the_table() -> None:
    lines = (Path(__file__).parents[4] / "docs" / "interfaces.md").read_text().splitlines()
    start = lines.index("### Commands")
    rows = [line for line in lines[start : start + 60] if line.startswith("| `")]
    assert {row.split("`")[1] for row in rows} == set(COMMANDS)


async def test_the_other_commands_do_what_they_say(desk: Desk, house: House) -> None:
    assert await code_of(desk, "set_battery_power", command(id="1", der="bat1", p_target_w=-1500)) is None
    assert await code_of(desk, "limit_power", command(id="2", **LIMIT)) is None
    assert {(r.der, value(r)) for r in house.requests.alive()} == {("bat1", -1500.0), (None, 4000.0)}
    assert await code_of(desk, "clear", command(id="3", der="bat1")) is None
    assert [r.der for r in house.requests.alive()] == [None]
    assert await code_of(desk, "clear", command(id="4")) is None
    assert house.requests.alive() == ()
    for number, name in enumerate(("disarm", "ping")):
        assert await code_of(desk, name, command(id=f"b{number}")) is None
    assert house.armed == ["disarm"]


async def test_arming_is_shown_first_and_done_with_what_the_answer_gave(desk: Desk, house: House) -> None:
    shown = await desk.by_mqtt("ops", "arm", command(id="1"), False)
    assert (shown["result"], shown["code"], house.armed) == ("refused", "unconfirmed", ["looked"])
    done = await desk.by_mqtt("ops", "arm", command(id="2", confirm=shown["confirm"]), False)
    assert (done["result"], done["text"], house.armed) == (
        "admitted",
        "armed",
        ["looked", "looked", "arm by ops with c0ffee"],
    )
    assert "confirm" not in done
    assert await code_of(desk, "arm", command(id="3", confirm="")) == "bad_argument"


async def test_new_firmware_is_relied_on_by_a_word_and_by_an_arm_unless_that_can_t_be_saved(
    desk: Desk, house: House
) -> None:
    house.known.of = {name: seen("1.0", newer="2.0") for name in ("pv1", "bat1")}
    done = await desk.by_mqtt("ops", "acknowledge", command(id="1", der="pv1"), False)
    assert (done["result"], done["text"]) == ("admitted", "pv1: firmware 2.0 is relied on")
    assert [name for name, each in house.known.of.items() if each.newer] == ["bat1"]
    house.full = True
    assert await code_of(desk, "arm", command(id="2", confirm="c0ffee")) == "not_saved"
    assert house.known.of["bat1"].newer == "2.0"
    house.full = False
    done = await desk.by_mqtt("ops", "arm", command(id="3", confirm="c0ffee"), False)
    assert done["text"] == "armed; bat1: firmware 2.0 is relied on"
    done = await desk.by_mqtt("ops", "acknowledge", command(id="4"), False)
    assert done["text"] == "nothing to acknowledge: no firmware is new"
    assert await code_of(desk, "acknowledge", command(id="5", der="pv9")) == "no_der"


async def test_a_replacement_is_done_of_a_der_that_the_site_has_by_who_may_arm(desk: Desk, house: House) -> None:
    done = await desk.by_mqtt("ops", "replace", command(id="1", der="pv1"), False)
    assert done["text"] == "pv1: serial SN9 takes the place of SN1"
    assert await code_of(desk, "replace", command(id="2", der="pv9")) == "no_der"
    assert await code_of(desk, "replace", command(id="3")) == "bad_argument"
    for name in ("replace", "acknowledge"):
        assert (await desk.by_mqtt("home", name, command(id=name, der="pv1"), False))["code"] == "may_not_arm"
    house.full = True
    refused = await desk.by_mqtt("ops", "replace", command(id="4", der="pv1"), False)
    assert refused["code"] == "not_saved" and "takes the place" in refused["text"]


async def test_a_limit_that_was_found_is_lifted_only_where_that_is_said(desk: Desk, house: House) -> None:
    await code_of(desk, "limit_power", command(id="1", **LIMIT))
    reply = await desk.by_mqtt("ops", "clear", command(id="2", der="pv1", found=True), False)
    assert (reply["text"], house.lifted) == ("the limit that was found in pv1 is not kept any more", ["pv1"])
    assert house.requests.alive(), "an operator's own limit is another thing"
    reply = await desk.by_mqtt("ops", "clear", command(id="3", der="bat1", found=True), False)
    assert reply["text"] == "nothing to lift: no limit was found in bat1"
    reply = await desk.by_mqtt("ops", "clear", command(id="4", found=True), False)
    assert reply["text"] == "the limit that was found in pv1 is not kept any more"
    await code_of(desk, "clear", command(id="5"))
    assert len(house.lifted) == 2


async def test_a_second_limit_erases_no_tighter_one_and_its_sender_hears_so(desk: Desk, house: House) -> None:
    replies = []
    for number, watts in enumerate((4000, 1000, 2000)):
        sent = command(id=str(number), p_ceiling_w=watts, der="pv1", expires_s=600 + number)
        replies.append(await desk.by_mqtt(f"by{number}", "limit_power", sent, False))
    assert {r.id: value(r) for r in house.requests.alive()} == {"0": 4000.0, "1": 1000.0, "2": 2000.0}
    assert [reply["result"] for reply in replies] == ["admitted"] * 3
    assert replies[1]["text"] == "until 2026-11-21T12:10:01.000Z"
    waits = "; for 601 s by1's limit of 1000 W is the tighter one and binds (clear pv1 drops both)"
    assert replies[2]["text"] == "until 2026-11-21T12:10:02.000Z" + waits
    assert await desk.local("limit_power", {"p_ceiling_w": 500.0}) == "until 2026-11-21T13:00:00.000Z"
    text = await desk.local("limit_power", {"p_ceiling_w": 600.0})
    assert text.endswith("for 3600 s local's limit of 500 W is the tighter one and binds (clear drops both)")


async def test_too_many_limits_are_refused_with_the_number_and_what_to_do(desk: Desk, house: House) -> None:
    for number in range(64):
        sent = command(id=str(number), p_ceiling_w=1000 + number, der="pv1")
        assert await code_of(desk, "limit_power", sent) is None
    reply = await desk.by_mqtt("ops", "limit_power", command(id="one more", p_ceiling_w=2000, der="pv1"), False)
    assert (reply["result"], reply["code"]) == ("refused", "too_many")
    assert reply["text"] == "64 limits and setpoints of ops are alive: clear some, or wait until one ends"
    reply = await desk.by_mqtt("anna", "limit_power", command(id="anna's", p_ceiling_w=1, der="pv1"), False)
    assert reply["result"] == "admitted", "another's always finds room"
    assert await desk.local("clear", {"der": "pv1"}) == "65 requests dropped"
    assert await code_of(desk, "limit_power", command(id="and then", p_ceiling_w=1, der="pv1")) is None


async def test_a_request_knows_who_asked_and_what_it_is_called(desk: Desk, house: House) -> None:
    await desk.by_mqtt("aggregator", "limit_power", command(id="1", **LIMIT), False)
    await desk.local("set_battery_power", {"der": "bat1", "p_target_w": 500.0})
    by_kind = {request.kind: request.by for request in house.requests.alive()}
    assert by_kind == {"limit_power": "aggregator", "set_battery_power": "local"}


# -- saved before it is answered -------------------------------------------------------------------------------------


async def test_what_cannot_be_saved_is_refused_and_taken_back(desk: Desk, house: House) -> None:
    await desk.local("limit_power", {"p_ceiling_w": 3000.0, "der": "pv1"})
    await desk.local("set_battery_power", {"der": "bat1", "p_target_w": 500.0})
    before, house.full = dict(house.requests.held), True
    for name, args in (
        ("limit_power", {"p_ceiling_w": 2000.0, "der": "pv1"}),
        ("limit_power", {"p_ceiling_w": 2000.0, "der": "pv1", "expires_s": 9000.0}),
        ("set_battery_power", {"der": "bat1", "p_target_w": -500.0}),
        ("clear", {}),
        ("clear", {"der": "pv1"}),
    ):
        with pytest.raises(CommandError, match=r"No space left on device\): nothing was done") as refused:
            await desk.local(name, args)
        assert (refused.value.code, house.requests.held) == ("not_saved", before)
    reply = await desk.by_mqtt("ops", "limit_power", command(id="1", **LIMIT), False)
    assert (reply["result"], reply["code"]) == ("refused", "not_saved")
    assert await desk.local("ping", {}) == "pong", "what only answers saves nothing"


async def test_an_emergency_stop_stops_though_it_cannot_be_saved(desk: Desk, house: House) -> None:
    house.full = True
    reply = await desk.by_mqtt("ops", "emergency_stop", command(id="1"), False)
    assert (reply["code"], [each.kind for each in house.requests.alive()]) == ("not_saved", ["emergency_stop"])
    assert "stopped until lift_stop; after a restart that may be forgotten" in reply["text"]
    assert (await desk.by_mqtt("ops", "lift_stop", command(id="2"), False))["code"] == "not_saved"
    assert [each.kind for each in house.requests.alive()] == ["emergency_stop"], "nobody lifts it by a full disk"


async def test_what_was_refused_for_the_disk_is_no_news(desk: Desk, house: House) -> None:
    house.full = True
    for name, args in (
        ("limit_power", {"p_ceiling_w": 3.0}),
        ("set_battery_power", {"der": "bat1", "p_target_w": 5.0}),
    ):
        with pytest.raises(CommandError, match="nothing was done"):
            await desk.local(name, args)
    assert house.requests.news() == []


async def test_a_limit_that_was_found_is_kept_again_where_lifting_it_cannot_be_saved(
    desk: Desk, house: House
) -> None:
    house.full = True
    assert await code_of(desk, "clear", command(id="1", found=True)) == "not_saved"
    assert house.kept == house.lifted == ["pv1"]


@pytest.mark.parametrize(("lift", "done"), [(False, ["disarm"]), (True, ["disarm", "lifted"])])
async def test_a_release_disarms_and_lifts_only_where_that_is_said(
    desk: Desk, house: House, lift: bool, done: list[str]
) -> None:
    reply = await desk.by_mqtt("ops", "release", command(lift=lift), False)
    assert (reply["result"], house.armed, house.saved_before_release) == ("admitted", done, [1])
    assert reply["text"].startswith("pv1: released") and "exception 4" in reply["text"]
    again = await desk.by_mqtt("home", "release", command(id="2"), False)
    assert (again["code"], house.armed) == ("may_not_arm", done)


async def test_the_site_file_is_read_again_for_who_may_arm(desk: Desk, house: House) -> None:
    reply = await desk.by_mqtt("ops", "reload", command(), False)
    assert (reply["result"], reply["text"], house.armed) == ("admitted", "taken over: pv1", ["reread"])
    house.bad_file = True
    reply = await desk.by_mqtt("ops", "reload", command(id="2"), False)
    assert (reply["code"], reply["text"]) == ("bad_site_file", "site.yaml:3: no DER")
    reply = await desk.by_mqtt("home", "reload", command(id="3"), False)
    assert (reply["code"], len(house.armed)) == ("may_not_arm", 2)


async def test_an_arm_that_cannot_be_saved_is_taken_back_and_a_disarm_stays(desk: Desk, house: House) -> None:
    house.full = True
    assert await code_of(desk, "arm", command(id="1", confirm="c0ffee")) == "not_saved"
    assert house.armed[-1] == "taken back"
    reply = await desk.by_mqtt("ops", "disarm", command(id="2"), False)
    assert reply["code"] == "not_saved" and "nothing is written any more" in reply["text"]
    assert house.armed[-1] == "disarm"


# -- refused --------------------------------------------------------------------------------------------------------


REFUSED: dict[str, tuple[str, bytes, str]] = {
    "no JSON": ("limit_power", b"{", "bad_json"),
    "no object": ("limit_power", b"[1]", "bad_json"),
    "no UTF-8": ("limit_power", b'{"id": "\xff"}', "bad_json"),
    "nothing": ("limit_power", b"", "bad_json"),
    "NaN": ("limit_power", command(p_ceiling_w=0).replace(b'"p_ceiling_w": 0', b'"p_ceiling_w": NaN'), "bad_json"),
    "too deep": ("limit_power", b"[" * 100_000, "bad_json"),
    "no id": ("ping", b'{"issued_at": "2026-11-21T12:00:00Z", "expires_s": 60}', "missing"),
    "no time": ("ping", b'{"id": "x", "expires_s": 60}', "missing"),
    "no life": ("ping", b'{"id": "x", "issued_at": "2026-11-21T12:00:00Z"}', "missing"),
    "an id that is a number": ("ping", command(id=7), "bad_argument"),
    "a time without a zone": ("ping", command(issued_at="2026-11-21T12:00:00"), "bad_argument"),
    "a time that is none": ("ping", command(issued_at="noon"), "bad_argument"),
    "an unknown argument": ("ping", command(please=True), "bad_argument"),
    "an argument missing": ("limit_power", command(), "bad_argument"),
    "watts as text": ("limit_power", command(p_ceiling_w="4000"), "bad_argument"),
    "watts as null": ("limit_power", command(p_ceiling_w=None), "bad_argument"),
    "watts of four hundred digits": ("limit_power", command(p_ceiling_w=10**400), "bad_argument"),
    "a life of four hundred digits": ("ping", command(expires_s=10**400), "bad_argument"),
    "an argument of four hundred digits": ("ping", command(please=10**400), "bad_argument"),
    "a word where yes or no is wanted": ("clear", command(found="false"), "bad_argument"),
    "a life of nothing": ("ping", command(expires_s=0), "out_of_range"),
    "a negative life": ("ping", command(expires_s=-5), "out_of_range"),
    "a life of eight days": ("ping", command(expires_s=8 * 86400), "out_of_range"),
    "over": ("ping", command(age_s=600.0), "expired"),
    "yesterday's": ("ping", command(age_s=86400.0), "expired"),
    "from the future": ("ping", command(age_s=-31.0), "not_yet_valid"),
    "unheard of": ("explode", command(), "unknown_command"),
    "more than the rating": ("limit_power", command(p_ceiling_w=5001, der="pv1"), "out_of_range"),
    "more than the site": ("limit_power", command(p_ceiling_w=8001), "out_of_range"),
    "a negative limit": ("limit_power", command(p_ceiling_w=-1, der="pv1"), "out_of_range"),
    "infinitely much": ("limit_power", command(p_ceiling_w=0).replace(b": 0}", b": 1e999}"), "bad_json"),
    "more than the battery charges": ("set_battery_power", command(der="bat1", p_target_w=-3001), "out_of_range"),
    "more than the battery gives": ("set_battery_power", command(der="bat1", p_target_w=3001), "out_of_range"),
    "a battery that is none": ("set_battery_power", command(der="pv1", p_target_w=1), "no_function"),
    "a DER that is none": ("limit_power", command(p_ceiling_w=1, der="nobody"), "no_der"),
    "a battery that is nowhere": ("set_battery_power", command(der="nobody", p_target_w=1), "no_der"),
    "nobody's requests": ("clear", command(der="nobody"), "no_der"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_believed_is_refused_with_its_code_and_changes_nothing(
    desk: Desk, name: str, house: House
) -> None:
    which, payload, code = REFUSED[name]
    assert await code_of(desk, which, payload) == code
    assert (house.requests.alive(), house.armed, house.changes) == ((), [], 0)


async def test_an_unknown_der_is_refused_with_those_that_are_known(desk: Desk) -> None:
    reply = await desk.by_mqtt("ops", "clear", command(der="pv9"), False)
    assert reply["text"] == "no DER 'pv9'; known are pv1, bat1"


async def test_out_of_range_is_refused_and_not_clipped(desk: Desk) -> None:
    reply = await desk.by_mqtt("ops", "limit_power", command(p_ceiling_w=50_000), False)
    assert (reply["result"], reply["code"]) == ("refused", "out_of_range")
    assert "50000" in reply["text"]
    assert "8000" in reply["text"]


async def test_a_retained_command_is_never_one(desk: Desk) -> None:
    """It would come again at every connection."""
    reply = await desk.by_mqtt("ops", "limit_power", command(**LIMIT), True)
    assert (reply["code"], reply["id"]) == ("retained", json.loads(command(**LIMIT))["id"])
    for unread in (b"{", b"[]", b'{"id": 1}', b'{"id": "' + b"x" * 129 + b'"}', b"\xff"):
        reply = await desk.by_mqtt("ops", "limit_power", unread, True)
        assert (reply["code"], reply["id"]) == ("retained", None)
    assert await code_of(desk, "limit_power", command(**LIMIT)) is None, "and it does not use the id up"


async def test_the_same_id_is_answered_once(desk: Desk, world: World, house: House) -> None:
    """A QoS 1 duplicate is a replay like any other."""
    assert await code_of(desk, "limit_power", command(**LIMIT)) is None
    world.later(5.0)
    assert await code_of(desk, "limit_power", command(p_ceiling_w=8000)) == "replayed"
    assert await code_of(desk, "clear", command()) == "replayed"
    (held,) = house.requests.alive()
    assert value(held) == 4000.0


async def test_a_replay_after_a_restart_is_refused_too(desk: Desk, world: World, house: House) -> None:
    await code_of(desk, "limit_power", command(**LIMIT))
    seen = msgspec.json.decode(msgspec.json.encode(desk.seen), type=dict[str, Answered])
    reborn = Desk(house.reach, world.clock, logger(), seen)
    assert await code_of(reborn, "limit_power", command(**LIMIT)) == "replayed"


async def test_a_replay_is_refused_until_it_has_expired_and_then_as_expired(desk: Desk, world: World) -> None:
    """Issued 29 s in the future, the most that is tolerated: there is no moment at which it is admitted again."""
    payload = command(age_s=-29.0, expires_s=60, **LIMIT)
    assert await code_of(desk, "limit_power", payload) is None
    codes = []
    for _ in range(200):
        world.later(1.0)
        await code_of(desk, "clear", command(id=f"other {world.wall_s}", expires_s=7 * 86400))
        codes.append(await code_of(desk, "limit_power", payload))
    assert set(codes) == {"replayed", "expired"}


async def test_a_refused_command_may_be_corrected_under_its_id(desk: Desk) -> None:
    assert await code_of(desk, "limit_power", command()) == "bad_argument"
    assert await code_of(desk, "limit_power", command(**LIMIT)) is None


async def test_a_flood_lets_no_recorded_command_in_again_and_what_is_remembered_is_bounded(
    desk: Desk, world: World
) -> None:
    """After 1,000 pings it was admitted again; pings change nothing and are not remembered at all."""
    recorded = command(id="recorded", expires_s=7 * 86400)
    assert await code_of(desk, "clear", recorded) is None
    for number in range(IDS_MAX + 500):
        assert await code_of(desk, "ping", command(id=f"p{number}")) is None
    assert len(desk.seen["ops"].ids) == 1
    for number in range(IDS_MAX + 500):
        world.later(0.2)
        issued = command(id=f"n{number}", age_s=-0.2 * (number + 1), expires_s=7 * 86400)
        assert await code_of(desk, "clear", issued) is None
        assert await code_of(desk, "clear", recorded) == "replayed"
    assert len(desk.seen["ops"].ids) == IDS_MAX


async def test_nobody_s_id_is_burnt_by_another(desk: Desk) -> None:
    assert (await desk.by_mqtt("noisy", "clear", command(id="a"), False))["code"] is None
    assert (await desk.by_mqtt("ops", "clear", command(id="a"), False))["code"] is None
    assert (await desk.by_mqtt("ops", "clear", command(id="a"), False))["code"] == "replayed"


async def test_an_id_of_before_the_principals_were_noted_is_nobody_s(desk: Desk) -> None:
    desk.seen = {ANYBODY: Answered(ids={"a": (NOON.timestamp(), NOON.timestamp() + 60.0)})}
    assert (await desk.by_mqtt("ops", "clear", command(id="a"), False))["code"] == "replayed"
    assert (await desk.by_mqtt("ops", "clear", command(id="b"), False))["code"] is None


async def test_arming_needs_a_principal_that_may_and_all_else_does_not(desk: Desk, house: House) -> None:
    """home is listed; it disarms, limits and asks. What it may not it is not shown, nor by another's confirm."""
    shown = await desk.by_mqtt("ops", "arm", command(id="1"), False)
    for fields in ({}, {"confirm": shown["confirm"]}):
        reply = await desk.by_mqtt("home", "arm", command(id="2", **fields), False)
        assert (reply["code"], "confirm" in reply) == ("may_not_arm", False)
        assert "home" in reply["text"]
        assert "may_arm" in reply["text"]
    assert house.armed == ["looked"]
    for n, (name, fields) in enumerate((("disarm", {}), ("limit_power", LIMIT), ("clear", {}), ("ping", {}))):
        assert (await desk.by_mqtt("home", name, command(id=f"h{n}", **fields), False))["code"] is None
    assert await desk.local("arm", {"confirm": "c0ffee"}, "home") == "armed", "the socket asks no site file"


async def test_an_id_may_not_be_a_book(desk: Desk) -> None:
    """It is remembered, saved and sent back."""
    assert await code_of(desk, "ping", command(id="x" * 10_000)) == "bad_argument"
    assert not desk.seen


# -- without a clock ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fields", "code"),
    [
        ("limit_power", LIMIT, None),
        ("disarm", {}, None),
        ("ping", {}, None),
        ("set_battery_power", {"der": "bat1", "p_target_w": 100}, "clock_unsynced"),
        ("clear", {}, "clock_unsynced"),
        ("arm", {}, "clock_unsynced"),
        ("release", {}, "clock_unsynced"),
        ("reload", {}, "clock_unsynced"),
    ],
)
async def test_before_the_clock_is_set_only_what_restricts_is_taken(
    tmp_path: Path, name: str, fields: dict[str, Any], code: str | None
) -> None:
    world = World(tmp_path, wall_s=86400.0)
    house = House(Requests(lambda: world.monotonic_s))
    desk = Desk(house.reach, world.clock, logger(), may_arm=frozenset({"ops"}))
    assert await code_of(desk, name, command(**fields)) == code
    if name == "limit_power":
        assert [r.remaining_s for r in house.requests.alive()] == [600.0], "its whole duration from now"


async def test_before_the_clock_is_set_a_changed_limit_may_be_tighter_and_not_looser(tmp_path: Path) -> None:
    world = World(tmp_path, wall_s=86400.0)
    house = House(Requests(lambda: world.monotonic_s))
    desk = Desk(house.reach, world.clock, logger())
    asked = [
        await code_of(desk, "change_limit", command(id=f"{w}", der="pv1", p_ceiling_w=w)) for w in (3000, 2000, 2500)
    ]
    assert asked == [None, None, "clock_unsynced"]
    assert [cast(LimitRequest, each).p_ceiling_w for each in house.requests.alive()] == [2000.0]


@pytest.mark.parametrize("jump_s", [3600.0, -7200.0])
async def test_a_wall_clock_that_jumps_changes_no_limit(
    desk: Desk, world: World, jump_s: float, house: House
) -> None:
    await code_of(desk, "limit_power", command(**LIMIT))
    world.wall_s += jump_s
    world.monotonic_s += 10.0
    assert [r.remaining_s for r in house.requests.alive()] == [pytest.approx(590.0)]


# -- over the socket ------------------------------------------------------------------------------------------------


async def test_over_the_socket_a_command_is_issued_now_and_lives_an_hour_unless_told(
    desk: Desk, house: House
) -> None:
    assert await desk.local("limit_power", {"p_ceiling_w": 1000}) == "until 2026-11-21T13:00:00.000Z"
    assert [r.remaining_s for r in house.requests.alive()] == [3600.0]
    await desk.local("limit_power", {"p_ceiling_w": 1000, "expires_s": 60})
    assert [r.remaining_s for r in house.requests.alive()] == [3600.0, 60.0]


@pytest.mark.parametrize(
    ("name", "args", "code"),
    [
        ("limit_power", {"p_ceiling_w": float("nan")}, "out_of_range"),
        ("set_battery_power", {"der": "bat1", "p_target_w": float("inf")}, "out_of_range"),
        ("limit_power", {"p_ceiling_w": 1, "expires_s": float("nan")}, "out_of_range"),
        ("limit_power", {"p_ceiling_w": 1, "expires_s": "long"}, "out_of_range"),
        ("limit_power", {"p_ceiling_w": [1]}, "bad_argument"),
        ("limit_power", {"p_ceiling_w": 1, "der": 7}, "bad_argument"),
        ("limit_power", {"p_ceiling_w": 10**400}, "bad_argument"),
        ("limit_power", {"p_ceiling_w": 1, "expires_s": 10**400}, "out_of_range"),
        ("clear", {"found": "false"}, "bad_argument"),
        ("clear", {"found": 0}, "bad_argument"),
        ("ping", {"x": 1}, "bad_argument"),
        ("explode", {}, "unknown_command"),
    ],
)
async def test_over_the_socket_nonsense_is_refused_too(
    desk: Desk, name: str, args: dict[str, Any], code: str, house: House
) -> None:
    with pytest.raises(CommandError) as refused:
        await desk.local(name, args)
    assert refused.value.code == code
    assert house.requests.alive() == ()


WORDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "watts as text": (
        "limit_power", {"p_ceiling_w": "abc"}, "p_ceiling_w: 'abc': write a number of watts, e.g. 7000"
    ),
    "watts with a unit": (
        "limit_power", {"p_ceiling_w": "3 kW"}, "p_ceiling_w: '3 kW': write a number of watts, e.g. 3000"
    ),
    "watts as a truth value": (
        "limit_power", {"p_ceiling_w": True}, "p_ceiling_w: true is no number: write a number of watts, e.g. 7000"
    ),
    "nothing": ("limit_power", {}, "p_ceiling_w is missing"),
    "all at once": (
        "set_battery_power", {"der": 5, "power": 3},
        "no argument power; known are der, p_target_w; der: 5 is no text; p_target_w is missing",
    ),
    "arguments where none belong": ("ping", {"x": 1}, "no argument x; there are none"),
    "too long a life": (
        "ping",
        {"expires_s": 3_456_000.0},
        "expires_s = 3456000 is outside 0 (not included) to 604800 s, which is 7 days",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "args", "says"), WORDS.values(), ids=WORDS)
async def test_a_wrong_argument_says_what_to_write(desk: Desk, name: str, args: dict[str, Any], says: str) -> None:
    with pytest.raises(CommandError) as refused:
        await desk.local(name, args)
    assert str(refused.value) == says


async def test_a_wrong_envelope_says_what_to_write(desk: Desk) -> None:
    late = await desk.by_mqtt("ops", "ping", command(issued_at="noon"), False)
    assert late["text"] == 'issued_at: "noon" is no time, such as 2026-11-21T12:00:00Z'
    long = await desk.by_mqtt("ops", "ping", command(id="x" * 129), False)
    assert long["text"].endswith("is no text of 1 to 128 characters")


async def test_clear_says_how_much_it_dropped(desk: Desk) -> None:
    await desk.local("limit_power", {"p_ceiling_w": 1000})
    await desk.local("limit_power", {"p_ceiling_w": 1000, "der": "pv1"})
    assert await desk.local("clear", {}) == "2 requests dropped"
    assert await desk.local("clear", {"der": "pv1"}) == "nothing to drop: no operator asked for anything of pv1"


# -- in the log -----------------------------------------------------------------------------------------------------


class Book:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str, str]] = []

    def log(self, level: int, event: str, *, text: str) -> None:
        self.lines.append((level, event, text))


async def test_each_command_is_logged_with_its_values_who_sent_it_and_what_became_of_it(
    world: World, house: House
) -> None:
    book = Book()
    desk = Desk(house.reach, world.clock, book)
    await desk.by_mqtt("ops", "limit_power", command(**LIMIT), False)
    await desk.local("limit_power", {"p_ceiling_w": 1000, "der": None, "expires_s": 60}, "anna")
    with pytest.raises(CommandError):
        await desk.local("clear", {"der": "pv9"}, "anna")
    await desk.local("ping", {"expires_s": 60.0}, "anna")
    await desk.local("clear", {}, "anna")
    assert [text for _, _, text in book.lines] == [
        "ops: limit_power expires_s=600 p_ceiling_w=4000: admitted",
        "anna: limit_power p_ceiling_w=1000 expires_s=60: admitted",
        "anna: clear der=pv9: refused (no_der: no DER 'pv9'; known are pv1, bat1)",
        "anna: ping expires_s=60: admitted",
        "anna: clear: admitted",
    ]
    assert {(level, event) for level, event, _ in book.lines} == {(logging.INFO, "command")}


async def test_who_asked_over_the_socket_stands_in_the_request(desk: Desk, house: House) -> None:
    await desk.local("limit_power", {"p_ceiling_w": 1000}, "anna")
    assert [request.by for request in house.requests.alive()] == ["anna"]


async def test_a_long_command_fills_no_log(world: World, house: House) -> None:
    book = Book()
    await Desk(house.reach, world.clock, book).by_mqtt("ops", "limit_power", command(note="x" * 10_000), False)
    assert len(book.lines[0][2]) < 500


async def test_a_limit_on_what_was_never_found_is_finite_and_bounded(desk: Desk, house: House) -> None:
    """Its rating is not known, and what no file can hold would make the state unreadable."""
    house.pv1_w = 0.0
    for watts in (float("inf"), float("nan"), 1e300, 1.1e9):
        with pytest.raises(CommandError, match=r"outside 0 to 1e\+09 W"):
            await desk.local("limit_power", {"p_ceiling_w": watts, "der": "pv1"})
    await desk.local("limit_power", {"p_ceiling_w": 1e9, "der": "pv1"})


async def test_arming_is_refused_while_a_device_runs_what_derctl_is_given_too(desk: Desk, house: House) -> None:
    house.functions.add(("volt_var", "pv1"))
    house.own_on = ("volt_var",)
    with pytest.raises(CommandError) as refused:
        await desk.local("arm", {}, "anna")
    assert refused.value.code == "two_owners" and house.armed == ["looked"]
    house.own_on = ()
    with pytest.raises(CommandError) as shown:
        await desk.local("arm", {}, "anna")
    assert shown.value.code == "unconfirmed"
