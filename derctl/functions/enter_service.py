"""Enter service, IEEE 1547-2018 4.10: after an outage nothing for a while, then up on a ramp or at random."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from derctl.core.dataclass import dataclass
from derctl.core.text import share_of
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Idle, Status
from derctl.errors import SettingError
from derctl.functions.freq_droop import F_HZ
from derctl.functions.plain import finite
from derctl.functions.settings import Ruled, Settings, number

SOURCE = "IEEE 1547-2018 4.10.2 table 4, as in OpenDER 2.2.0"
GONE_PU = 0.5
"""Below this there is no grid. Between it and the window a device rides through, and nothing has ended."""
AT_REST = frozenset({Status.ASLEEP, Status.OFF})
"""A device that says so may read no voltage, with the grid there: that is night, unless it gave power until now."""
GAVE_PU, GAVE_S = 0.02, 10.0
"""Above this share of its rating it gave power; one that did so within this time does not fall asleep by itself."""
LEAST_S = 1.0
"""Of a ramp or a random delay: who has neither comes back at once with all the others."""
UNHEARD = Abstain("no fresh voltage and frequency", lost=True)


@value
class Memory:
    """out: the DER, or the grid, was gone and it has not entered service since. calm_s: for how long the grid has
    been back inside the window. risen_s: since it entered, None before. idle_s: since it gave or drew power last,
    None: it was not seen to."""

    out: bool = False
    calm_s: float = 0.0
    risen_s: float | None = None
    idle_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterService(Ruled):
    """Acts when the grid returns or a tripped DER reconnects, never because the daemon started.

    The device's own enter service is certified and stays; this holds the site back where it has none.
    """

    kind: ClassVar[str] = "enter_service"
    rank: ClassVar[int] = 10

    v_low_pu: float = number(0.917, low=0.88, high=0.95, wide=(0.5, 1.0), source="least voltage; " + SOURCE)
    v_high_pu: float = number(1.05, low=1.05, high=1.06, wide=(1.0, 1.3), source="most voltage; " + SOURCE)
    f_low_hz: float = number(59.5, low=59.0, high=59.9, wide=F_HZ, source="least frequency; " + SOURCE)
    f_high_hz: float = number(60.1, low=60.1, high=61.0, wide=F_HZ, source="most frequency; " + SOURCE)
    delay_s: float = number(300.0, low=0.0, high=600.0, wide=(0.0, 3600.0), source="inside all four; " + SOURCE)
    ramp_s: float = number(300.0, low=0.0, high=1000.0, wide=(0.0, 3600.0), source="0 to full, or 0: none; " + SOURCE)
    random_s: float = number(
        0.0, low=0.0, high=1000.0, wide=(0.0, 3600.0), source="more delay, at most, instead of a ramp; " + SOURCE
    )

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        if self.ramp_s > 0.0 and self.random_s > 0.0:
            raise SettingError("random_s", self.random_s, "0, or ramp_s: 0 beside it (one of the two)")
        if not self.random_s and self.ramp_s < LEAST_S:
            raise SettingError(
                "ramp_s", self.ramp_s, f"at least {LEAST_S:g}, or random_s: {LEAST_S:g} or more beside 0"
            )
        if 0.0 < self.random_s < LEAST_S:
            raise SettingError("random_s", self.random_s, f"0, or at least {LEAST_S:g}")

    def misfit(self, f_nom_hz: float) -> SettingError | None:
        """A window that the nominal frequency is not in would never let anyone in."""
        if not self.f_low_hz <= f_nom_hz:
            return SettingError("f_low_hz", self.f_low_hz, f"at most the nominal {f_nom_hz:g} Hz")
        if not self.f_high_hz >= f_nom_hz:
            return SettingError("f_high_hz", self.f_high_hz, f"at least the nominal {f_nom_hz:g} Hz")
        return None

    def start(self) -> Memory:
        """In service: whatever gives power now goes on."""
        return Memory()

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step. Unheard, nobody comes nearer to entering."""
        memory = replace(memory, idle_s=_idle_s(memory, der, dt_s))
        if not der.fresh:
            return replace(memory, calm_s=0.0), UNHEARD
        if _gone(memory, der):
            memory = Memory(out=True)
        if not memory.out:
            return memory, Abstain(Idle.IN_SERVICE)
        if memory.risen_s is None:
            inside = self._inside(der)
            memory = replace(memory, calm_s=memory.calm_s + dt_s if inside else 0.0)
            wait_s = self.delay_s + self.random_s * share_of(f"{site.id} {der.id}")
            if not inside or memory.calm_s < wait_s:
                return memory, self._share(der, 0.0)
            memory = replace(memory, risen_s=0.0)
        return self._rising(memory, der, dt_s)

    def _inside(self, der: DerState) -> bool:
        v_pu, f_hz = der.v_pu, der.reading.f_hz
        if v_pu is None or f_hz is None or der.reading.status is Status.FAULT:
            return False
        return self.v_low_pu <= v_pu <= self.v_high_pu and self.f_low_hz <= f_hz <= self.f_high_hz

    def _rising(self, memory: Memory, der: DerState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        risen_s = (memory.risen_s or 0.0) + dt_s
        if risen_s >= self.ramp_s:
            return Memory(idle_s=memory.idle_s), Abstain(Idle.IN_SERVICE)
        return replace(memory, risen_s=risen_s), self._share(der, risen_s / self.ramp_s)

    def _share(self, der: DerState, share: float) -> Proposal:
        """Both ways: before it is in service a battery does not charge either."""
        return Proposal(
            by=self.kind,
            rank=self.rank,
            p_ceiling_w=share * der.rating.p_max_w,
            p_floor_w=share * der.rating.p_min_w,
        )


def _idle_s(memory: Memory, der: DerState, dt_s: float) -> float | None:
    if der.fresh and abs(der.reading.p_w or 0.0) > GAVE_PU * der.rating.size_w:
        return 0.0
    return None if memory.idle_s is None else memory.idle_s + dt_s


def _gone(memory: Memory, der: DerState) -> bool:
    """It tripped, has no grid, or stopped in the middle of its work."""
    status, v_pu = der.reading.status, der.v_pu
    if status in AT_REST:
        return memory.idle_s is not None and memory.idle_s <= GAVE_S
    return status is Status.FAULT or (v_pu is not None and v_pu < GONE_PU)


def kept_entry(memory: Memory) -> dict[str, Any] | None:
    """One that is under way, for a restart; None in service. What was waited is waited again."""
    return {"risen_s": -1.0 if memory.risen_s is None else memory.risen_s} if memory.out else None


def entry_of(plain: Any) -> Memory:
    """It goes on from where it was. Raises ValueError."""
    if not isinstance(plain, Mapping):
        raise ValueError(f"{plain!r} is no way into service")
    risen_s = finite(plain, "risen_s")
    return Memory(out=True, risen_s=risen_s if risen_s >= 0.0 else None)
