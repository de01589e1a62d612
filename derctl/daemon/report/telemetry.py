"""A Tick as messages. Payload keys are the nouns' field names; rate-limited, on change, and at least every N s."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, field, fields
from datetime import datetime, timedelta
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.evidence import Evidence
from derctl.core.pack import Pack
from derctl.core.requests import Request
from derctl.core.types import FOREVER_S, Decision, DerState, Outcome, PocState, Reading, Setpoint, SiteState
from derctl.core.words import Mode
from derctl.daemon.actuate.standing import Standing
from derctl.daemon.clock import Clock, text_of
from derctl.store.outbox import Message
from derctl.store.requests import plain_of

CHANGE_PU = 0.01
CHANGE_W = 50.0
"""A measurement goes out early when power moved by 1 % of the rating (at least 50 W), or its status or alarms did."""


ELSEWHERE = frozenset({"accepted", "own_on", "own_off", "phase_sum_w"})
"""Fields of a reading that stand in the outcome and in `status`, or that core alone looks at."""
MEASURED = ("status", *(item.name for item in fields(Reading) if item.name not in {"status", *ELSEWHERE}))
"""A new field of a reading is in the topic by itself."""
EVIDENCE = tuple(item.name for item in fields(Evidence) if item.name not in {"jumps", "limited"})
TOLD = tuple(item.name for item in fields(Setpoint))


def measurement(reading: Reading, age_s: float | None, v_pu: float | None) -> dict[str, Any]:
    """The documented fields of a measurement, without its time. age_s None: nothing was read yet."""
    found: dict[str, Any] = {"age_s": None if age_s is None else round(age_s, 3)}
    for name in MEASURED:
        found[name] = of_pack(reading.pack) if name == "pack" else getattr(reading, name)
        if name == "v_v":
            found["v_pu"] = None if v_pu is None else round(v_pu, 6)
    return found


def of_pack(pack: Pack | None) -> dict[str, Any] | None:
    """What a battery's management system tells of it."""
    return None if pack is None else asdict(pack)


def of_evidence(evidence: Evidence) -> dict[str, Any]:
    """What the meter is believed to be, and on what evidence."""
    found = {name: getattr(evidence, name) for name in EVIDENCE}
    return {name: round(each, 3) if isinstance(each, float) else each for name, each in found.items()}


def age_of(state: DerState | PocState) -> float | None:
    """Since its last reading; None before the first."""
    return state.age_s if state.sample > 0 else None


def of_setpoint(setpoint: Setpoint) -> dict[str, Any]:
    """The fields of a setpoint."""
    return {name: getattr(setpoint, name) for name in TOLD}


def of_decision(decision: Decision) -> dict[str, Any]:
    """A setpoint and who bound it."""
    bounds = [
        {"by": each.by, "what": each.what, "value": each.value, "rank": each.rank, "why": each.why}
        for each in decision.bound_by
    ]
    return of_setpoint(decision.setpoint) | {"bound_by": bounds}


def of_request(request: Request, now: datetime) -> dict[str, Any]:
    """Its fields, and until when it counts."""
    plain = plain_of(request)
    return plain | {"until": until_of(now, plain.pop("remaining_s"))}


def until_of(now: datetime, remaining_s: float) -> str | None:
    """None: until somebody says so."""
    return None if remaining_s > FOREVER_S / 2 else text_of(now + timedelta(seconds=remaining_s))


def of_outcome(outcome: Outcome, now: datetime, now_s: float) -> dict[str, Any]:
    """The four words with their times; now and now_s are the same moment on the wall and the monotonic clock."""

    def at(moment_s: float | None) -> str | None:
        return None if moment_s is None else text_of(now - timedelta(seconds=now_s - moment_s))

    requested = None
    if outcome.requested is not None:
        requested = of_setpoint(outcome.requested) | {"by": outcome.requested_by}
    return {
        "requested": requested,
        "desired": of_setpoint(outcome.desired),
        "accepted": None if outcome.accepted is None else of_setpoint(outcome.accepted),
        "achieved": outcome.achieved,
        "reason": outcome.reason,
        "requested_t": at(outcome.requested_s),
        "desired_t": at(outcome.desired_s),
        "accepted_t": at(outcome.accepted_s),
        "achieved_t": at(outcome.achieved_s),
    }


def encode(value: Any) -> bytes:
    """JSON; a NaN would be a bug, not a payload."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


@dataclass(slots=True)
class Stamp:
    """When a tick was, as its messages say it; worked out once one is sent."""

    clock: Clock
    _now: datetime | None = None
    _fields: dict[str, Any] | None = None

    @property
    def now(self) -> datetime:
        if self._now is None:
            self._now = self.clock.now()
        return self._now

    @property
    def fields(self) -> dict[str, Any]:
        if self._fields is None:
            self._fields = {"t": text_of(self.now)} | ({} if self.clock.synced else {"synced": False})
        return self._fields


@dataclass(slots=True)
class Telemetry:
    """every_s: at least this often; min_s: at most this often, for each topic."""

    clock: Clock
    every_s: float
    min_s: float
    _sent_s: dict[str, float] = field(default_factory=dict)
    _power: dict[str, tuple[float | None, tuple[str, ...]]] = field(default_factory=dict)
    _last: dict[str, object] = field(default_factory=dict)

    def anew(self) -> None:
        """The next tick tells all of it."""
        self._sent_s.clear()
        self._power.clear()
        self._last.clear()

    def messages(
        self, state: SiteState, decisions: tuple[Decision, ...], outcomes: Mapping[str, Outcome]
    ) -> list[Message]:
        """What this tick has to say."""
        stamp, now_s = Stamp(self.clock), state.t_s
        found: list[Message] = []
        poc = state.poc
        if poc is not None and not self._waits("poc", now_s):
            v_pu = None if poc.reading.v_v is None else poc.reading.v_v / poc.v_nom_v
            self._measured("poc", poc.reading, age_of(poc), v_pu, CHANGE_W, stamp, now_s, found, poc.belief)
        for der in state.ders:
            topic = f"der/{der.id}/measurement"
            if not self._waits(topic, now_s):
                scale = max(CHANGE_W, CHANGE_PU * der.rating.size_w)
                self._measured(topic, der.reading, age_of(der), der.v_pu, scale, stamp, now_s, found)
        for decision in decisions:
            topic = f"der/{decision.der}/setpoint"
            if not self._waits(topic, now_s) and self._changed(topic, _told(decision), now_s):
                found.append(Message(topic=topic, payload=encode(of_decision(decision) | stamp.fields), retain=True))
        for der_id, outcome in outcomes.items():
            topic = f"der/{der_id}/outcome"
            if not self._waits(topic, now_s) and self._changed(topic, _became(outcome), now_s):
                said = of_outcome(outcome, stamp.now, now_s) | stamp.fields
                found.append(Message(topic=topic, payload=encode(said), retain=True))
        return found

    def buses(self, loads: Callable[[], Mapping[str, Any]], now_s: float) -> list[Message]:
        """What the buses are loaded with, at a fixed pace: asked for only then."""
        if now_s - self._sent_s.get("buses", -1e9) < self.every_s:
            return []
        shown = loads()
        if not shown:
            return []
        self._sent_s["buses"] = now_s
        stamp = Stamp(self.clock)
        return [Message(topic="buses", payload=encode(stamp.fields | {"buses": shown}), retain=True)]

    def requests(self, state: SiteState) -> list[Message]:
        """What operators asked for and is alive, on change, and of a schedule with each interval."""
        key = tuple([(each.by, each.id, getattr(each, "part", None)) for each in state.requests])
        if self._waits("requests", state.t_s) or not self._changed("requests", key, state.t_s):
            return []
        stamp = Stamp(self.clock)
        alive = [of_request(each, stamp.now) for each in state.requests]
        return [Message(topic="requests", payload=encode(stamp.fields | {"requests": alive}), retain=True)]

    def standing(
        self, ders: Iterable[str], stands: Callable[[str], Standing], mode: Mode, now_s: float, *, last: bool = False
    ) -> list[Message]:
        """What stands in each device, retained, so that it can be seen when derctl is gone. While control runs the
        setpoint moves all the time, and `outcome` tells it: only that it is so is told then. last: all of it."""
        found: list[Message] = []
        for der_id in ders:
            topic = f"der/{der_id}/standing"
            if not last and self._waits(topic, now_s):
                continue
            each = stands(der_id)
            key = (mode, each.record, each.seen) if mode is Mode.CONTROL else (mode, _whole(each))
            if last or self._changed(topic, key, now_s):
                payload = {"t": self.clock.stamp(), "mode": mode} | asdict(each)
                found.append(Message(topic=topic, payload=encode(payload), retain=True))
        return found

    def _measured(
        self,
        topic: str,
        reading: Reading,
        age_s: float | None,
        v_pu: float | None,
        step_w: float,
        stamp: Stamp,
        now_s: float,
        found: list[Message],
        belief: Evidence | None = None,
    ) -> None:
        p_w, said = self._power.get(topic, (None, ()))
        says = (str(reading.status), *(reading.alarms or ()), *(() if belief is None else (belief.belief,)))
        moved = (
            said != says
            or (p_w is None) != (reading.p_w is None)
            or (p_w is not None and reading.p_w is not None and abs(p_w - reading.p_w) >= step_w)
        )
        if not moved and now_s - self._sent_s.get(topic, -1e9) < self.every_s:
            return
        self._sent_s[topic] = now_s
        self._power[topic] = (reading.p_w, says)
        said_of = measurement(reading, age_s, v_pu) | ({} if belief is None else {"belief": of_evidence(belief)})
        found.append(Message(topic=topic, payload=encode(stamp.fields | said_of), retain=True))

    def _waits(self, topic: str, now_s: float) -> bool:
        """Whether it was sent too short a time ago."""
        return now_s - self._sent_s.get(topic, -1e9) < self.min_s - 1e-3

    def _changed(self, topic: str, key: object, now_s: float) -> bool:
        """Whether this topic is due; if so it counts as sent."""
        if self._last.get(topic) == key and now_s - self._sent_s.get(topic, -1e9) < self.every_s:
            return False
        self._sent_s[topic] = now_s
        self._last[topic] = key
        return True

    @staticmethod
    def event(event: Mapping[str, Any]) -> Message:
        """To arrive (qos 1) and in order."""
        return Message(topic="event", payload=encode(event), qos=1)


def _whole(standing: Standing) -> tuple[object, ...]:
    told = (standing.p_ceiling_w, standing.p_target_w, standing.q_var)
    return (*(None if value is None else round(value) for value in told), standing.seen, standing.record)


def _told(decision: Decision) -> tuple[object, ...]:
    """A decision with another one of these is news."""
    return _rounded(decision.setpoint), tuple([(bound.by, bound.what) for bound in decision.bound_by])


def _became(outcome: Outcome) -> tuple[object, ...]:
    """An outcome with another one of these is news."""
    accepted = None if outcome.accepted is None else _rounded(outcome.accepted)
    return outcome.requested, _rounded(outcome.desired), accepted, outcome.achieved, outcome.reason


def _rounded(setpoint: Setpoint) -> tuple[float | None, ...]:
    values = (setpoint.p_ceiling_w, setpoint.p_target_w, setpoint.q_var)
    return tuple([None if value is None else round(value) for value in values])
