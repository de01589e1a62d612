"""The story of a command, told to its sender in order: admitted, what became of it, its end and its record.

The setpoints are the engine's own, with derctl's operator functions; what a device made of them the test says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from derctl.core.engine import step
from derctl.core.plan import Plan
from derctl.core.requests import BatteryRequest, LimitRequest, Request
from derctl.core.types import Outcome, PocState, Proposal, Reading, Tick
from derctl.core.value import replace
from derctl.core.words import Achieved, Reason
from derctl.daemon.clock import Clock
from derctl.daemon.commands.desk import Desk
from derctl.daemon.commands.stories import Stories
from derctl.daemon.commands.story import PAUSE_S, SURE_TICKS
from derctl.daemon.commands.volts import LEAST_S, Window
from derctl.daemon.log import logger
from derctl.daemon.requests import Requests
from derctl.functions.operator import OperatorLimit, OperatorSiteLimit, SetpointFunction
from derctl.store.outbox import Message
from tests import make
from tests.unit.daemon.commands.test_desk import NOON, House, World, command

YES = (Achieved.YES, None)


@dataclass
class Office:
    """PV of 10 kW and a battery of 5 kW, carried out as `devices` says; seniors: who else speaks."""

    tmp: Path
    seniors: list[tuple[str, Proposal]] = field(default_factory=list)
    devices: tuple[Achieved, Reason | None] = YES
    sent: list[Message] = field(default_factory=list)
    heard: list[tuple[Any, ...]] = field(default_factory=list)
    t_s: float = 0.0
    pv_w: float = 3000.0
    memories: dict[str, Any] = field(default_factory=dict)
    changes: int = 0

    def __post_init__(self) -> None:
        self.requests = Requests(lambda: self.t_s)
        self.stories = self.others()

    def others(self) -> Stories:
        """As a daemon has them that starts on the same requests."""
        world = World(self.tmp, wall_s=NOON.timestamp() + self.t_s)
        world.set_clock()
        return Stories(
            self.requests, world.clock, self.sent.append, self.changed, lambda *given: self.heard.append(given)
        )

    def changed(self) -> None:
        self.changes += 1

    def ask(self, request: Request, correlation: bytes | None = None) -> None:
        """It was admitted, and its sender was told."""
        self.stories.begin(request.by, request.id, request.kind, correlation)
        self.requests.put(request)
        assert self.stories.admitted(request.by, request.id, "noon")

    def tick(self, count: int = 1, *, v_v: float = 230.0) -> None:
        for _ in range(count):
            self.t_s += 1.0
            poc = PocState(
                reading=Reading(p_w=-200.0, q_var=50.0, v_phase_v=(v_v, v_v + 1.0, None)),
                age_s=0.0, sample=1, fresh=True, v_nom_v=230.0,
            )  # fmt: skip
            ders = (make.pv(p_w=self.pv_w), make.battery(p_w=-500.0))
            state = replace(make.site(*ders, t_s=self.t_s, poc=poc), requests=self.requests.alive(), id="house-12")
            rows: Any = [(OperatorLimit(), ("pv1", "bat1")), (SetpointFunction(), ("bat1",))]
            rows += [make.says(said, der) for der, said in self.seniors]
            plan = Plan(der_functions=tuple(rows), site_functions=((OperatorSiteLimit(), ("pv1", "bat1")),))
            before = self.memories
            self.memories, decisions = step(plan, before, state, 1.0)
            achieved, reason = self.devices
            outcomes = {
                each.der: Outcome(desired=each.setpoint, achieved=achieved, reason=reason) for each in decisions
            }
            tick = Tick(n=int(self.t_s), dt_s=1.0, state=state, memories=before, decisions=decisions)
            self.stories.look(tick, outcomes)

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(message.payload) for message in self.sent]

    @property
    def words(self) -> list[tuple[Any, ...]]:
        return [(each["result"], each["by"], each["code"]) for each in self.told]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def limit(
    watts: float, *, by: str = "agg", name: str = "a1", der: str | None = "pv1", left_s: float = 60.0
) -> LimitRequest:
    return LimitRequest(id=name, der=der, by=by, p_ceiling_w=watts, remaining_s=left_s)


def aim(watts: float, *, by: str = "agg", name: str = "b1") -> BatteryRequest:
    return BatteryRequest(id=name, der="bat1", by=by, p_target_w=watts, remaining_s=60.0)


VOLT_WATT = ("pv1", Proposal(by="volt_watt", rank=20, p_ceiling_w=2500.0))
DROOP = ("pv1", Proposal(by="freq_droop", rank=20, p_floor_w=2800.0))
BMS = ("bat1", Proposal(by="bms_guard", rank=0, p_floor_w=-300.0))
CASES: dict[str, tuple[Request, list[Any], tuple[Any, ...], tuple[Any, ...] | None]] = {
    "it holds": (limit(2000.0), [], YES, ("achieved", None, None)),
    "the sun gives less": (
        limit(2000.0), [], (Achieved.NOT_BINDING, Reason.NO_SUN), ("not_binding", None, "no_sun"),
    ),
    "volt-watt holds it lower": (limit(3000.0), [VOLT_WATT], YES, ("not_binding", "volt_watt", None)),
    "above its rating": (limit(10_000.0), [], YES, ("not_binding", None, None)),
    "droop lifts it above": (limit(2000.0), [DROOP], YES, ("overridden_by", "freq_droop", "senior_bound")),
    "somebody else's hand": (
        limit(2000.0), [], (Achieved.NO, Reason.OVERRIDE), ("overridden_by", None, "override"),
    ),
    "the device ignores it": (
        limit(2000.0), [], (Achieved.NO, Reason.WRITE_IGNORED), ("refused", None, "write_ignored"),
    ),
    "it is not written": (limit(2000.0), [], (Achieved.NO, Reason.GATE_CLOSED), None),
    "nobody answers yet": (limit(2000.0), [], (Achieved.PENDING, None), None),
    "a battery follows": (aim(-1000.0), [], YES, ("achieved", None, None)),
    "its BMS allows less": (aim(-1000.0), [BMS], YES, ("overridden_by", "bms_guard", "senior_bound")),
    "a battery that rests below it": (limit(2000.0, der="bat1"), [], YES, ("not_binding", None, None)),
    "the site's sum": (limit(2000.0, der=None), [], YES, ("achieved", None, None)),
    "the site's sum is far off": (limit(15_000.0, der=None), [], YES, ("not_binding", None, None)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_became_of_it_is_told_once_it_is_sure(office: Office, name: str) -> None:
    request, seniors, devices, says = CASES[name]
    office.seniors, office.devices = seniors, devices
    office.ask(request, b"\x01\xff")
    office.tick(SURE_TICKS - 1)
    assert office.sent == []
    office.tick(SURE_TICKS)
    assert office.words == ([] if says is None else [says])
    for message, told in zip(office.sent, office.told, strict=True):
        assert (message.topic, message.qos, message.retain) == ("reply/agg", 1, False)
        assert message.correlation == b"\x01\xff"
        assert (told["id"], told["n"], told["last"], told["admitted_t"]) == (request.id, 2, False, "noon")


@pytest.mark.parametrize(
    ("request_", "seniors", "devices", "text"),
    [
        (limit(2000.0), [], YES, "holds, and the power follows"),
        (limit(3000.0), [VOLT_WATT], YES, "met without it: volt_watt holds it lower"),
        (limit(2000.0), [DROOP], YES, "freq_droop counts instead (senior_bound)"),
        (limit(2000.0), [], (Achieved.NO, Reason.OVERRIDE), "somebody else at the device counts instead (override)"),
        (limit(2000.0), [], (Achieved.NO, Reason.REFUSED), "the device does not do it (refused)"),
        (
            limit(2000.0, left_s=4.0),
            [],
            (Achieved.NO, Reason.LATE),
            "has ended; it was not achieved until then (late)",
        ),
    ],
)
def test_it_is_told_in_words(office: Office, request_: Request, seniors: Any, devices: Any, text: str) -> None:
    office.seniors, office.devices = seniors, devices
    office.ask(request_)
    office.tick(6)
    assert office.told[-1]["text"] == text


def test_a_story_has_its_parts_in_order_and_ends_with_its_lapse(office: Office) -> None:
    office.ask(limit(2000.0, left_s=20.0))
    office.tick(30)
    assert office.words == [("achieved", None, None), ("lapsed", None, None)]
    assert [(each["n"], each["last"]) for each in office.told] == [(2, False), (3, True)]
    assert office.stories.of == {} and office.requests.ended == {}
    assert [(each[0], each[2], each[3]) for each in office.heard] == [
        ("agg", "a1", "achieved"),
        ("agg", "a1", "lapsed"),
    ]
    assert office.changes == 2


def test_a_lapse_of_what_was_never_achieved_says_why(office: Office) -> None:
    office.devices = (Achieved.NO, Reason.UNREACHABLE)
    office.ask(limit(2000.0, left_s=5.0))
    office.tick(8)
    assert office.words == [("lapsed", None, "unreachable")]


@pytest.mark.parametrize(
    ("request_", "seniors", "others"),
    [
        (limit(3000.0, left_s=8.0), [VOLT_WATT], []),
        (limit(2000.0, left_s=8.0), [DROOP], []),
        (limit(10_000.0, left_s=8.0), [], []),
        (limit(3000.0, left_s=8.0), [], [limit(1000.0, by="home", name="h1")]),
        (limit(2000.0, der=None, left_s=8.0), [VOLT_WATT], []),
    ],
)
def test_while_nothing_is_written_nobody_holds_it_lower_and_nobody_contributes(
    office: Office, request_: Request, seniors: Any, others: list[Request]
) -> None:
    office.seniors, office.devices = seniors, (Achieved.UNKNOWN, Reason.GATE_CLOSED)
    for each in (request_, *others):
        office.ask(each)
    office.tick(10)
    assert office.words == [("lapsed", None, "gate_closed")]
    record = office.told[0]["record"]
    assert (record["contributed"], record["delivered"]["seconds"], record["seconds"]) == ([], 0.0, 7.0)


def test_a_lapse_on_the_way_there_claims_nothing(office: Office) -> None:
    office.devices = (Achieved.PENDING, None)
    office.ask(limit(2000.0, left_s=5.0))
    office.tick(8)
    assert office.words == [("lapsed", None, "pending")]
    assert office.told[-1]["text"] == "has ended; it was not achieved until then (pending)"


@pytest.mark.parametrize(("devices", "code"), [(YES, None), ((Achieved.NO, Reason.WRITE_IGNORED), "write_ignored")])
def test_of_what_ended_while_nothing_ran_what_was_told_last_counts(
    office: Office, devices: tuple[Achieved, Reason | None], code: str | None
) -> None:
    office.devices = devices
    office.ask(limit(2000.0, left_s=20.0))
    office.tick(5)
    saved, office.stories = json.loads(msgspec.json.encode(office.stories.plain())), office.others()
    office.stories.restore(saved, pytest.fail)
    office.t_s += 60.0
    office.tick()
    assert office.words[-1] == ("lapsed", None, code)


@pytest.mark.parametrize(("by", "others"), [("ops", True), ("agg", False)])
def test_one_that_was_cleared_names_by_whom(office: Office, by: str, others: bool) -> None:
    office.ask(limit(2000.0))
    office.tick()
    office.requests.clear(None, by=by, others=others)
    office.tick()
    assert office.words == [("overridden_by", by, "cleared")]
    assert office.told[0]["last"]


def test_a_setpoint_that_another_one_replaces_names_its_sender(office: Office) -> None:
    office.ask(aim(-1000.0))
    office.ask(aim(500.0, by="home", name="b2"))
    office.tick()
    assert [
        (m.topic, each["id"], each["result"], each["by"]) for m, each in zip(office.sent, office.told, strict=True)
    ] == [("reply/agg", "b1", "overridden_by", "home")]


def test_a_looser_limit_is_met_by_the_tighter_one_s_sender(office: Office) -> None:
    office.ask(limit(2000.0))
    office.ask(limit(1000.0, by="home", name="h1"))
    office.tick(5)
    assert sorted((each["id"], each["result"], each["by"]) for each in office.told) == [
        ("a1", "not_binding", "home"),
        ("h1", "achieved", None),
    ]


def test_clouds_are_told_once_a_minute_and_the_last_of_them_counts(office: Office) -> None:
    office.ask(limit(2000.0, left_s=600.0))
    office.tick(5)
    for n in range(8):
        office.devices = YES if n % 2 else (Achieved.NOT_BINDING, Reason.NO_SUN)
        office.tick(5)
    office.devices = (Achieved.NOT_BINDING, Reason.NO_SUN)
    office.tick(int(PAUSE_S))
    assert [each[0] for each in office.words] == ["achieved", "not_binding"]


def test_nothing_is_told_before_the_answer_and_of_what_asked_for_nothing_after_it(office: Office) -> None:
    office.stories.begin("agg", "a1", "limit_power", None)
    office.requests.put(limit(2000.0, left_s=2.0))
    office.tick(6)
    assert office.sent == [], "it has ended, and its answer is not out yet"
    assert office.stories.admitted("agg", "a1", "noon")
    office.tick()
    assert office.words == [("lapsed", None, "unknown")], "nobody looked"
    office.stories.begin("agg", "c", "clear", None)
    assert not office.stories.admitted("agg", "c", "noon")
    assert office.stories.of == {}


def test_a_kill_just_behind_the_answer_makes_no_later_command_of_it(office: Office) -> None:
    """It was on disk before it was answered, and nothing was saved since."""
    office.stories.begin("agg", "a1", "limit_power", None)
    office.requests.put(limit(2000.0))
    saved, noon = json.loads(msgspec.json.encode(office.stories.plain())), office.stories.clock.stamp()
    assert office.stories.admitted("agg", "a1", noon)
    office.t_s += 600.0
    office.stories = office.others()
    assert office.stories.clock.stamp() != noon
    office.stories.restore(saved, pytest.fail)
    office.tick()
    assert (office.words, office.told[0]["admitted_t"][:19]) == ([("lapsed", None, "unknown")], noon[:19])


def test_a_story_goes_on_after_a_restart_and_is_not_told_twice(office: Office) -> None:
    """As JSON, with its correlation data. One whose story the disk does not have has one all the same; the socket's
    has none."""
    office.ask(limit(2000.0, left_s=20.0), b"\x00\x80")
    office.ask(limit(3000.0, by="home", name="h1", left_s=20.0))
    office.requests.put(limit(4000.0, by="anna", name="local-1", left_s=20.0))
    office.tick(5)
    saved = json.loads(msgspec.json.encode(office.stories.plain()))
    before, office.stories = len(office.sent), office.others()
    bad: list[str] = []
    office.stories.restore([each for each in saved if each["by"] == "agg"] + [{"id": 7}], bad.append)
    assert len(bad) == 1
    office.tick(30)
    after = [(m.correlation, each) for m, each in zip(office.sent, office.told, strict=True)][before:]
    assert [(each["id"], each["result"], each["n"], correlation) for correlation, each in after] == [
        ("h1", "not_binding", 2, None),
        ("a1", "lapsed", 3, b"\x00\x80"),
        ("h1", "lapsed", 3, None),
    ]
    assert after[1][1]["record"]["seconds"] == 19.0, "what was summed up before counts"


def test_the_record_gives_volt_watt_what_is_volt_watt_s(office: Office) -> None:
    """PV that gave 3,000 W: volt-watt leaves 2,500 W of it, and the limit of 2,000 W took 500 W more, no 1,000 W. In
    its first second nothing has come of it yet."""
    office.seniors = [VOLT_WATT]
    office.ask(limit(2000.0, left_s=30.0))
    office.tick(v_v=252.0)
    office.pv_w = 2000.0
    office.tick(39, v_v=252.0)
    record = office.told[-1]["record"]
    assert record["contributed"] == [
        {"by": "volt_watt", "what": "p_ceiling_w", "mean": -7500.0, "seconds": 29.0},
        {"by": "operator_limit", "what": "p_ceiling_w", "mean": -500.0, "seconds": 29.0},
    ]
    assert record["delivered"] == {
        "p_w": pytest.approx(-500.0 * 28.0 / 29.0, abs=0.05),
        "q_var": None,
        "seconds": 29.0,
    }
    assert (record["mean_p_w"], record["mean_q_var"]) == (-200.0, 50.0)
    assert record["last"]["v_phase_1s_v"] == [252.0, 253.0, None]
    assert record["last"]["v_phase_10min_v"] == [None, None, None], "half a minute is no ten"
    assert record["first"]["t"] < record["last"]["t"] or record["seconds"] == 29.0


@pytest.mark.parametrize(
    ("devices", "delivered"),
    [
        ((Achieved.NOT_BINDING, Reason.NO_SUN), None),
        ((Achieved.NO, Reason.WRITE_IGNORED), None),
        (YES, pytest.approx(-1000.0 * 8.0 / 9.0, abs=0.06)),
    ],
)
def test_what_is_not_achieved_is_not_delivered(office: Office, devices: Any, delivered: float | None) -> None:
    office.devices = devices
    office.ask(limit(2000.0, left_s=10.0))
    office.tick()
    office.pv_w = 2000.0
    office.tick(11)
    assert office.told[-1]["record"]["delivered"]["p_w"] == delivered


def test_of_a_battery_what_was_measured_is_delivered(office: Office) -> None:
    office.ask(aim(-1000.0))
    office.tick(5)
    office.requests.clear(None, by="ops")
    office.tick()
    assert office.told[-1]["record"]["delivered"] == {"p_w": -500.0, "q_var": None, "seconds": 5.0}


def test_ten_minutes_are_a_mean_of_ten_minutes() -> None:
    """By hand: 300 s at 230 V and 300 s at 240 V make 235 V; nothing of what lies before. Of tenths of seconds
    a second's mean counts once."""
    window = Window()
    for t_s in range(1000):
        window.add(float(t_s), (230.0 if t_s < 700 else 240.0,))
    assert window.one_s == (240.0,)
    assert window.ten_min == (pytest.approx(235.0, abs=0.05),)
    quick = Window()
    for tenth in range(6010):
        quick.add(tenth / 10.0, (230.0 + tenth % 10,))
    assert (quick.one_s, quick.ten_min) == ((234.5,), (234.5,))


@pytest.mark.parametrize(("seconds", "known"), [(LEAST_S - 5, False), (LEAST_S + 5, True)])
def test_of_too_little_there_is_no_mean(seconds: int, known: bool) -> None:
    window = Window()
    for t_s in range(seconds):
        window.add(float(t_s), (230.0,))
    assert (window.ten_min == (230.0,)) is known
    assert Window().ten_min == () and Window().one_s == ()


def test_what_became_of_an_interval_has_its_place_among_the_answers(office: Office) -> None:
    office.ask(limit(2_000.0), correlation=b"x")
    saves = office.changes
    assert office.stories.between("agg", "a1") == ({"n": 2, "last": False, "admitted_t": "noon"}, b"x")
    assert office.stories.between("agg", "a1")[0]["n"] == 3 and office.changes > saves
    office.tick(4)
    assert [each["n"] for each in office.told] == [4], "the story goes on behind it"
    assert office.stories.between("agg", "nobody's") == ({"n": None, "last": False}, None)


async def test_a_command_that_can_t_be_saved_has_no_story(tmp_path: Path) -> None:
    world, house = World(tmp_path), House(Requests(lambda: 50.0))
    world.set_clock()
    stories = Stories(house.requests, world.clock, lambda message: None)
    desk = Desk(house.reach, world.clock, logger(), stories=stories)
    house.full = True
    reply = await desk.by_mqtt("agg", "limit_power", command(p_ceiling_w=1000), False)
    assert (reply["code"], reply["n"], reply["last"], stories.of) == ("not_saved", 1, True, {})
    house.full = False
    reply = await desk.by_mqtt("agg", "limit_power", command(id="2", p_ceiling_w=1000), False, b"x")
    assert (reply["result"], reply["n"], reply["last"]) == ("admitted", 1, False)
    assert [(each.id, each.correlation) for each in stories.of.values()] == [("2", b"x")]
    assert (await desk.by_mqtt("agg", "clear", command(id="3"), False))["last"] is True
    again = await desk.by_mqtt("agg", "limit_power", command(id="2", p_ceiling_w=1000), False)
    assert again["code"] == "replayed" and ("agg", "2") in stories.of
    huge = await desk.by_mqtt("agg", "ping", command(id="4"), False, b"x" * 129)
    assert huge["code"] == "too_large"


def test_how_far_the_clock_may_be_off_is_the_kernel_s_word(monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    class Libc:
        def adjtimex(self, buffer: Any) -> int:
            word = ctypes.sizeof(ctypes.c_long)
            ctypes.memmove(ctypes.addressof(buffer) + 3 * word, (ctypes.c_long * 1)(4_000), word)
            return 0

    monkeypatch.setattr("derctl.daemon.clock._LIBC", Libc())
    assert Clock("auto").error_s == 0.004
