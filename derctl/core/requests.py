"""What somebody has asked for and is still alive: one class for each kind of request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, fields
from typing import ClassVar, Literal, TypeVar

from derctl.core.dataclass import dataclass
from derctl.core.schedule import Aim, Event, Limits, current
from derctl.core.value import replace
from derctl.core.words import Abides

LOCAL = "local"
"""Who asks over the unix socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An operator's wish that is still alive: one class for each kind, and its line in REQUESTS.

    kind: the command that brought it. der None: the whole site. by: the principal who asked, the login name for
    the unix socket. remaining_s on the monotonic clock. called: what people call one of its kind. beside: which of
    its kind for the same DER it does not take the place of. own: only its own sender may clear it. latched: nobody
    may, and it has no end.
    """

    called: ClassVar[str] = "request"
    beside: ClassVar[Abides] = Abides.NONE
    own: ClassVar[bool] = False
    latched: ClassVar[bool] = False

    id: str
    kind: str
    der: str | None
    by: str
    remaining_s: float

    def now(self) -> Request:
        """What of it counts at this moment: of a schedule one part alone."""
        return self

    @property
    def place(self) -> str:
        """What it takes the place of for the same DER: others of its kind."""
        return self.kind

    def bounds(self) -> Mapping[str, float]:
        """What it bounds, by name: of two the lower binds. Of what bounds nothing the one that is there counts."""
        return {"": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRequest(Request):
    """A ceiling on the AC power of a DER, or of all of them together."""

    called: ClassVar[str] = "limit"
    beside: ClassVar[Abides] = Abides.TIGHTER
    kind: Literal["limit_power"] = "limit_power"
    p_ceiling_w: float

    def bounds(self) -> Mapping[str, float]:
        """One ceiling."""
        return {"p_ceiling_w": self.p_ceiling_w}


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRequest(Request):
    """The least that a DER is to give at its AC terminals; below 0 it may draw so much."""

    called: ClassVar[str] = "floor"
    beside: ClassVar[Abides] = Abides.TIGHTER
    kind: Literal["floor_power"] = "floor_power"
    p_floor_w: float

    def bounds(self) -> Mapping[str, float]:
        """Of two the higher binds."""
        return {"p_floor_w": -self.p_floor_w}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryRequest(Request):
    """What a battery is to give at its AC terminals; below 0 it charges."""

    called: ClassVar[str] = "setpoint"
    kind: Literal["set_battery_power"] = "set_battery_power"
    p_target_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLimitsRequest(Request):
    """What somebody lets the site export, import and generate; None: nothing is said of it."""

    beside: ClassVar[Abides] = Abides.TIGHTER
    own: ClassVar[bool] = True
    export_w: float | None = None
    import_w: float | None = None
    generation_w: float | None = None

    def bounds(self) -> Mapping[str, float]:
        """Up to three."""
        return given(self, LIMITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridLimitRequest(SiteLimitsRequest):
    """The grid operator's."""

    called: ClassVar[str] = "grid limit"
    kind: Literal["grid_limit"] = "grid_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerLimitRequest(SiteLimitsRequest):
    """The owner's."""

    called: ClassVar[str] = "owner's limit"
    kind: Literal["owner_limit"] = "owner_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeRequest(Request):
    """A dynamic operating envelope: the limits of one interval after the other. part: which of parts counts now, from
    1 on, None: none; part_s: what is left of it. The values beside it are that one's."""

    called: ClassVar[str] = "operating envelope"
    beside: ClassVar[Abides] = Abides.OTHERS
    own: ClassVar[bool] = True
    kind: Literal["operating_envelope"] = "operating_envelope"
    schedule: tuple[Limits, ...] = ()
    parts: int = 0
    part: int | None = None
    part_s: float | None = None
    export_w: float | None = None
    import_w: float | None = None
    generation_w: float | None = None

    def now(self) -> EnvelopeRequest:
        """The part that lasts now, without the others."""
        return _lasting(self, LIMITS)

    def bounds(self) -> Mapping[str, float]:
        """Those of the part that lasts now."""
        return given(self, LIMITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRequest(Request):
    """A demand-response event: limits and a target (core/schedule.Event) from its start on, for a time. The fields
    are an envelope's with one part."""

    called: ClassVar[str] = "demand-response event"
    beside: ClassVar[Abides] = Abides.ALL
    own: ClassVar[bool] = True
    kind: Literal["demand_response"] = "demand_response"
    schedule: tuple[Event, ...] = ()
    parts: int = 0
    part: int | None = None
    part_s: float | None = None
    export_w: float | None = None
    import_w: float | None = None
    generation_w: float | None = None
    p_target_w: float | None = None
    poc_target_w: float | None = None

    def now(self) -> EventRequest:
        """What it asks for, once it has begun."""
        return _lasting(self, (*LIMITS, *TARGETS))

    def bounds(self) -> Mapping[str, float]:
        """Once it has begun."""
        return given(self, LIMITS) | ({LATEST: 0.0} if self.aims else {})

    @property
    def aims(self) -> bool:
        """Whether it has a target that lasts now."""
        return self.p_target_w is not None or self.poc_target_w is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest(Request):
    """What a planner wants a battery to give, one interval after the other. The fields are as of an envelope."""

    called: ClassVar[str] = "plan"
    kind: Literal["battery_plan"] = "battery_plan"
    schedule: tuple[Aim, ...] = ()
    parts: int = 0
    part: int | None = None
    part_s: float | None = None
    p_target_w: float | None = None
    p_ceiling_w: float | None = None
    p_floor_w: float | None = None

    def now(self) -> PlanRequest:
        """The part that lasts now, without the others."""
        return _lasting(self, AIMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartureRequest(Request):
    """How far a store that leaves has to be charged when the request ends."""

    called: ClassVar[str] = "departure"
    kind: Literal["charge_for_departure"] = "charge_for_departure"
    soc_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveRequest(Request):
    """What the owner keeps in a battery for a blackout, for a time."""

    called: ClassVar[str] = "reserve"
    kind: Literal["set_reserve"] = "set_reserve"
    min_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerFactorRequest(Request):
    """Another power factor than the site file's, for a time; excitation: absorbing or injecting."""

    called: ClassVar[str] = "power factor"
    kind: Literal["set_power_factor"] = "set_power_factor"
    pf: float
    excitation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VarRequest(Request):
    """Another reactive power than the site file's, for a time; per unit of the rated apparent power, + injects."""

    called: ClassVar[str] = "reactive power"
    kind: Literal["set_var"] = "set_var"
    q_pu: float


Setting = float | str | tuple[tuple[float, float], ...]
"""What a function's setting may be: a number, a word, or the points of a curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRequest(Request):
    """Another shape of a function for a time, or another reactive mode in force. settings: by name, those that are
    other than the site file's; of a mode that the site file does not have, than the grid code's. on: it runs.
    reactive: it is one of the modes of which a DER has one at a time."""

    called: ClassVar[str] = "shape"
    kind: Literal["set_function"] = "set_function"
    function: str
    on: bool = True
    reactive: bool = False
    settings: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """One for each function, and one for the reactive mode."""
        return f"{self.kind} {'reactive' if self.reactive else self.function}"

    def bounds(self) -> Mapping[str, float]:
        """It bounds nothing; each place has one that is there."""
        return {self.place: 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest(Request):
    """The emergency stop. It stays until it is lifted, over restarts."""

    called: ClassVar[str] = "emergency stop"
    beside: ClassVar[Abides] = Abides.OTHERS
    latched: ClassVar[bool] = True
    kind: Literal["emergency_stop"] = "emergency_stop"


LIMITS = ("export_w", "import_w", "generation_w")
"""What a site may be limited in."""
TARGETS = ("p_target_w", "poc_target_w")
"""What a demand-response event may aim at: all batteries together, or the point of connection."""
LATEST = "target"
"""Among what requests bound: of these the one that came last counts."""
AIMS = ("p_target_w", "p_ceiling_w", "p_floor_w")
"""What a battery may be asked for."""


Scheduled = TypeVar("Scheduled", EnvelopeRequest, EventRequest, PlanRequest)


def _lasting(request: Scheduled, names: Iterable[str]) -> Scheduled:
    """What the part of its schedule says that lasts now, without the others. names: what a part may say."""
    parts, left_s = len(request.schedule), request.remaining_s
    at = current(request.schedule, left_s)
    if at is None:
        return replace(request, schedule=(), parts=parts)
    part = request.schedule[at]
    said = {name: getattr(part, name) for name in names}
    return replace(request, schedule=(), parts=parts, part=at + 1, part_s=left_s - max(part.to_s, 0.0), **said)


def aiming(requests: Iterable[Request]) -> EventRequest | None:
    """Of the events with a target that lasts now the one that came last: it counts."""
    asked = [each for each in requests if isinstance(each, EventRequest) and each.aims and each.remaining_s > 0.0]
    return asked[-1] if asked else None


def given(request: Request, names: Iterable[str]) -> dict[str, float]:
    """Those of its values that say something."""
    return {name: w for name in names if (w := getattr(request, name)) is not None}


REQUESTS: Mapping[str, type[Request]] = {
    "limit_power": LimitRequest,
    "floor_power": FloorRequest,
    "set_battery_power": BatteryRequest,
    "grid_limit": GridLimitRequest,
    "owner_limit": OwnerLimitRequest,
    "operating_envelope": EnvelopeRequest,
    "demand_response": EventRequest,
    "battery_plan": PlanRequest,
    "charge_for_departure": DepartureRequest,
    "set_reserve": ReserveRequest,
    "set_power_factor": PowerFactorRequest,
    "set_var": VarRequest,
    "set_function": FunctionRequest,
    "emergency_stop": StopRequest,
}
"""By kind: what a request turns into when it comes back from JSON."""
COMMON = frozenset(item.name for item in fields(Request))
"""What every request has; the others of its fields are what it asks for."""
