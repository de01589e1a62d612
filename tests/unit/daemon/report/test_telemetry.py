"""What goes to the broker, against the examples of docs/interfaces.md, and how often."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from derctl.core.evidence import Evidence
from derctl.core.pack import Bounds, Pack
from derctl.core.requests import StopRequest
from derctl.core.types import FOREVER_S, Bound, Decision, Outcome, Reading, Setpoint, SiteState
from derctl.core.words import Achieved, Bar, Belief, Mode, Reason, Record, Seen, Status, What
from derctl.daemon.actuate.standing import Standing
from derctl.daemon.clock import Clock
from derctl.daemon.commands.desk import Desk
from derctl.daemon.log import logger
from derctl.daemon.report.telemetry import Telemetry, encode, measurement, of_request
from tests import make

DOCS = (Path(__file__).parents[4] / "docs" / "interfaces.md").read_text()
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RATING = make.rating(p_max_w=5000.0)


def example(name: str) -> dict[str, Any]:
    """The fenced block `json NAME`."""
    found = re.search(rf"```json {name}\n(.*?)```", DOCS, re.DOTALL)
    assert found is not None, f"no example {name!r} in docs/interfaces.md"
    value: dict[str, Any] = json.loads(found.group(1))
    return value


def reading(p_w: float | None = 3120.0, **given: Any) -> Reading:
    return Reading(**{"p_w": p_w, "q_var": -40.0, "v_v": 236.1, "f_hz": 50.01, "status": Status.ON} | given)


def site(t_s: float, read: Reading | None = None, poc: Reading | None = None) -> SiteState:
    der = make.der("pv1", RATING, make.LIMITED, age_s=0.0812345)
    der = replace(der, reading=reading() if read is None else read)
    meter = None if poc is None else replace(make.meter(None), reading=poc, age_s=0.05)
    return make.site(der, t_s=t_s, poc=meter)


def decision(p_ceiling_w: float = 3120.0, by: str = "contract_export_limit") -> Decision:
    bound = Bound(by=by, rank=15, what=What.CEILING, value=p_ceiling_w)
    return Decision(der="pv1", setpoint=Setpoint(p_ceiling_w=p_ceiling_w, q_var=-220.0), bound_by=(bound,))


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry(Clock("assume", NOON.timestamp), every_s=60.0, min_s=1.0)


def topics(
    telemetry: Telemetry,
    state: SiteState,
    *decisions: Decision,
    outcome: Outcome | None = None,
) -> dict[str, dict[str, Any]]:
    outcomes = {} if outcome is None else {"pv1": outcome}
    return {m.topic: json.loads(m.payload) for m in telemetry.messages(state, decisions, outcomes)}


# -- the documented fields ------------------------------------------------------------------------------------------


def test_a_measurement_has_the_documented_fields_in_their_order(telemetry: Telemetry) -> None:
    sent = topics(telemetry, site(1.0, poc=reading()))
    assert list(sent["der/pv1/measurement"]) == list(example("measurement"))
    assert list(sent["poc"]) == list(example("poc"))
    assert list(sent["poc"]["belief"]) == list(example("poc")["belief"])
    assert sent["der/pv1/measurement"]["age_s"] == 0.081
    assert sent["der/pv1/measurement"]["v_pu"] == pytest.approx(236.1 / 230.0, abs=1e-6)
    assert sent["der/pv1/measurement"]["t"] == "2026-11-21T12:00:00.000Z"


def test_another_belief_goes_out_before_its_time(telemetry: Telemetry) -> None:
    first = site(1.0, poc=reading())
    assert topics(telemetry, first)["poc"]["belief"]["belief"] == "unproven"
    assert first.poc is not None
    proven = replace(first.poc, belief=Evidence(belief=Belief.PROVEN, slope=0.98765))
    assert "poc" not in topics(telemetry, replace(first, t_s=3.0))
    said = topics(telemetry, replace(first, t_s=4.0, poc=proven))["poc"]["belief"]
    assert (said["belief"], said["slope"], said["delay_s"]) == ("proven", 0.988, None)


def test_a_meter_s_phases_are_told_in_their_order(telemetry: Telemetry) -> None:
    sent = topics(telemetry, site(1.0, poc=reading(3120.0, p_phase_w=(2000.0, 1500.0, -380.0))))
    assert sent["poc"]["p_phase_w"] == [2000.0, 1500.0, -380.0]
    assert sent["der/pv1/measurement"]["p_phase_w"] is None


def test_before_the_first_reading_its_age_is_null(telemetry: Telemetry) -> None:
    state = site(1.0, poc=reading())
    (unread,), poc = (replace(der, sample=0, age_s=1e9) for der in state.ders), state.poc
    assert poc is not None
    sent = topics(telemetry, replace(state, ders=(unread,), poc=replace(poc, sample=0, age_s=1e9)))
    assert [sent[topic]["age_s"] for topic in ("der/pv1/measurement", "poc")] == [None, None]


def test_what_a_device_does_not_say_is_null_and_never_0(telemetry: Telemetry) -> None:
    sent = topics(telemetry, site(1.0, Reading()))["der/pv1/measurement"]
    assert {key: sent[key] for key in sent if key not in {"t", "age_s", "status"}} == {
        key: None for key in example("measurement") if key not in {"t", "age_s", "status"}
    }
    assert sent["status"] == "unknown"


def test_a_setpoint_has_the_documented_fields(telemetry: Telemetry) -> None:
    sent = topics(telemetry, site(1.0), decision())["der/pv1/setpoint"]
    documented = example("setpoint")
    assert set(sent) == set(documented)
    assert set(sent["bound_by"][0]) == set(documented["bound_by"][0])
    assert sent["bound_by"] == [documented["bound_by"][0]]


def test_an_outcome_has_the_documented_fields_and_its_times_are_on_the_wall_clock(telemetry: Telemetry) -> None:
    outcome = Outcome(
        requested=Setpoint(p_ceiling_w=4000.0),
        requested_by="operator_limit",
        desired=Setpoint(p_ceiling_w=3120.0, q_var=-220.0),
        accepted=Setpoint(p_ceiling_w=3120.0, q_var=-220.0),
        achieved=Achieved.YES,
        reason=Reason.SENIOR_BOUND,
        requested_s=40.0,
        desired_s=98.0,
        accepted_s=98.12,
        achieved_s=99.9,
    )
    sent = topics(telemetry, site(100.0), outcome=outcome)["der/pv1/outcome"]
    documented = example("outcome")
    assert set(sent) == set(documented)
    for part in ("requested", "desired", "accepted"):
        assert sent[part] == documented[part]
    assert (sent["achieved"], sent["reason"]) == (documented["achieved"], documented["reason"])
    assert sent["requested_t"] == documented["requested_t"]
    assert [sent[f"{word}_t"][-7:] for word in ("desired", "accepted", "achieved")] == [
        "58.000Z",
        "58.120Z",
        "59.900Z",
    ]


def test_an_event_has_the_documented_fields_and_arrives(telemetry: Telemetry) -> None:
    message = Telemetry.event(example("event"))
    assert json.loads(message.payload) == example("event")
    assert (message.topic, message.qos, message.retain) == ("event", 1, False)


async def test_a_reply_has_the_documented_fields() -> None:
    desk = Desk(None, Clock("assume", NOON.timestamp), logger())  # type: ignore[arg-type]
    assert set(await desk.by_mqtt("ops", "explode", b"{}", False)) == set(example("reply"))


def test_measurements_setpoints_and_outcomes_may_be_lost_and_are_retained(telemetry: Telemetry) -> None:
    messages = telemetry.messages(site(1.0, poc=reading()), (decision(),), {"pv1": Outcome()})
    assert [(m.qos, m.retain) for m in messages] == [(0, True)] * 4


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_has_no_nan(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode({"p_w": value})


def test_a_clock_that_is_not_set_is_said_so(tmp_path: Path) -> None:
    telemetry = Telemetry(Clock(str(tmp_path / "synced"), lambda: 60.0), every_s=60.0, min_s=1.0)
    sent = topics(telemetry, site(1.0), decision())
    assert {payload["synced"] for payload in sent.values()} == {False}
    (tmp_path / "synced").touch()
    assert all("synced" not in payload for payload in topics(telemetry, site(100.0), decision()).values())


# -- how often ------------------------------------------------------------------------------------------------------


def measured(telemetry: Telemetry, readings: dict[float, Reading]) -> list[float]:
    topic = "der/pv1/measurement"
    return [t_s for t_s, read in readings.items() if topic in topics(telemetry, site(t_s, read))]


def each_second(seconds: int) -> Iterator[float]:
    return (1000.0 + n for n in range(seconds))


def test_a_measurement_that_stands_still_goes_out_once_a_minute(telemetry: Telemetry) -> None:
    assert measured(telemetry, {t: reading() for t in each_second(181)}) == [1000.0, 1060.0, 1120.0, 1180.0]


def test_power_that_moves_by_a_percent_of_the_rating_goes_out_now(telemetry: Telemetry) -> None:
    watts = {1000.0: 3000.0, 1001.0: 3049.0, 1002.0: 3051.0, 1003.0: 3002.0, 1004.0: 3000.9}
    assert measured(telemetry, {t: reading(p) for t, p in watts.items()}) == [1000.0, 1002.0, 1004.0]


def test_an_alarm_of_the_battery_goes_out_now_when_it_comes_and_when_it_goes(telemetry: Telemetry) -> None:
    seen = {1000.0: (), 1001.0: ("over_temp_alarm",), 1002.0: ("over_temp_alarm",), 1003.0: ()}
    sent = measured(telemetry, {at: reading(alarms=names) for at, names in seen.items()})
    assert sent == [1000.0, 1001.0, 1003.0]


def test_what_is_known_of_a_battery_is_told_with_its_measurement() -> None:
    pack = Pack(cell_max_v=3.4, closed=False, bars=(Bar.EMPTY,), bounds=Bounds(cell_high_v=3.65))
    told = json.loads(encode(measurement(Reading(pack=pack), 0.1, None)))["pack"]
    assert (told["cell_max_v"], told["closed"], told["bars"], told["battery_v"]) == (3.4, False, ["empty"], None)
    assert told["bounds"]["cell_high_v"] == 3.65
    assert measurement(Reading(), 0.1, None)["pack"] is None


def test_a_status_that_changes_and_power_that_goes_missing_go_out_now(telemetry: Telemetry) -> None:
    found = measured(
        telemetry,
        {
            1000.0: reading(),
            1001.0: reading(status=Status.FAULT),
            1002.0: reading(None, status=Status.FAULT),
            1003.0: reading(None, status=Status.FAULT),
            1004.0: reading(status=Status.FAULT),
        },
    )
    assert found == [1000.0, 1001.0, 1002.0, 1004.0]


def test_nothing_goes_out_more_often_than_the_minimum_and_the_last_change_is_not_lost() -> None:
    telemetry = Telemetry(Clock("assume", NOON.timestamp), every_s=60.0, min_s=5.0)
    moving = {1000.0 + 0.1 * n: reading(100.0 * n) for n in range(100)}
    still = {1010.0 + n: reading(9900.0) for n in range(20)}
    assert measured(telemetry, moving | still) == pytest.approx([1000.0, 1005.0, 1010.0])


def test_ticks_that_come_a_little_early_do_not_halve_the_rate(telemetry: Telemetry) -> None:
    moving = {1000.0 + n - 0.0005 * (n % 2): reading(1000.0 * (n % 2)) for n in range(10)}
    assert len(measured(telemetry, moving)) == 10


def test_a_setpoint_goes_out_on_change_and_once_a_minute(telemetry: Telemetry) -> None:
    sent = [t for t in each_second(130) if "der/pv1/setpoint" in topics(telemetry, site(t), decision(3000.0))]
    assert sent == [1000.0, 1060.0, 1120.0]
    assert "der/pv1/setpoint" in topics(telemetry, site(1130.0), decision(2900.0))
    assert "der/pv1/setpoint" not in topics(telemetry, site(1131.0), decision(2900.3)), "less than a watt"


def test_who_bound_a_setpoint_goes_out_on_change_too(telemetry: Telemetry) -> None:
    topics(telemetry, site(1000.0), decision(by="contract_export_limit"))
    assert "der/pv1/setpoint" in topics(telemetry, site(1001.0), decision(by="volt_watt"))
    assert "der/pv1/setpoint" not in topics(telemetry, site(1002.0), decision(by="volt_watt"))


@pytest.mark.parametrize(
    "change",
    [
        {"requested": Setpoint(p_ceiling_w=100.0)},
        {"desired": Setpoint(p_ceiling_w=100.0)},
        {"accepted": Setpoint(p_ceiling_w=100.0)},
        {"achieved": "no"},
        {"reason": "unreachable"},
    ],
)
def test_each_of_an_outcomes_words_goes_out_on_change(telemetry: Telemetry, change: dict[str, Any]) -> None:
    before = Outcome(desired=Setpoint(p_ceiling_w=4000.0), achieved=Achieved.PENDING)
    assert "der/pv1/outcome" in topics(telemetry, site(1000.0), outcome=before)
    assert "der/pv1/outcome" not in topics(telemetry, site(1001.0), outcome=before)
    assert "der/pv1/outcome" in topics(telemetry, site(1002.0), outcome=replace(before, **change))


def test_the_wall_clock_plays_no_part_in_the_rate() -> None:
    """It jumps an hour either way."""
    wall = [NOON.timestamp()]
    telemetry = Telemetry(Clock("assume", lambda: wall[0]), every_s=60.0, min_s=1.0)
    found = []
    for n, t_s in enumerate(each_second(61)):
        wall[0] = (NOON + timedelta(hours=(-1) ** n * 2)).timestamp()
        found += [t_s] if topics(telemetry, site(t_s)) else []
    assert found == [1000.0, 1060.0]


# -- what stands in the devices -------------------------------------------------------------------------------------

LEFT = Standing(p_ceiling_w=3640.0, seen=Seen.READ_BACK, record=Record.LEFT)


def test_what_stands_has_the_documented_fields_and_is_retained(telemetry: Telemetry) -> None:
    (message,) = telemetry.standing(["pv1"], lambda der: LEFT, Mode.OBSERVE, 1.0)
    assert (message.topic, message.retain) == ("der/pv1/standing", True)
    assert json.loads(message.payload) == example("standing")


def test_what_stands_is_told_on_change_and_in_control_only_when_it_is_another_kind_of_thing(
    telemetry: Telemetry,
) -> None:
    def told(standing: Standing, mode: Mode, now_s: float, *, last: bool = False) -> int:
        return len(telemetry.standing(["pv1"], lambda der: standing, mode, now_s, last=last))

    assert [told(LEFT, Mode.OBSERVE, now_s) for now_s in (1.0, 3.0)] == [1, 0]
    assert told(replace(LEFT, p_ceiling_w=3000.0), Mode.OBSERVE, 5.0) == 1
    written = replace(LEFT, record=Record.WRITTEN)
    assert [told(replace(written, p_ceiling_w=float(now)), Mode.CONTROL, now) for now in (10, 12, 14)] == [1, 0, 0]
    assert told(replace(written, seen=Seen.OLD), Mode.CONTROL, 16.0) == 1
    assert told(replace(written, seen=Seen.OLD), Mode.OBSERVE, 16.1, last=True) == 1, "the last word"


# -- buses ----------------------------------------------------------------------------------------------------------


def test_the_load_of_the_buses_is_sent_at_a_fixed_pace_and_asked_for_only_then(telemetry: Telemetry) -> None:
    asked = list[int]()
    loads = example("buses")["buses"]

    def shown() -> dict[str, Any]:
        asked.append(1)
        return dict(loads)

    sent = [message for second in range(121) for message in telemetry.buses(shown, float(second))]
    assert [message.topic for message in sent] == ["buses"] * 3 and len(asked) == 3
    assert json.loads(sent[0].payload) == example("buses")


def test_what_has_no_end_of_its_own_is_told_none() -> None:
    """It was one in thirty years."""
    stop = StopRequest(id="e", der=None, by="ops", remaining_s=FOREVER_S)
    assert of_request(stop, datetime(2026, 11, 21, tzinfo=UTC))["until"] is None
    soon = replace(stop, remaining_s=60.0)
    assert of_request(soon, datetime(2026, 11, 21, tzinfo=UTC))["until"] == "2026-11-21T00:01:00.000Z"
