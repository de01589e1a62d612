"""Frequency-droop, IEEE 1547-2018 6.5.2.7: outside a dead band power follows frequency, from what it was before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from derctl.core.capability import clamp
from derctl.core.curve import Curve
from derctl.core.dataclass import dataclass
from derctl.core.response import Lag, follow, ramp
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Idle
from derctl.errors import SettingError
from derctl.functions.plain import finite
from derctl.functions.settings import Ruled, choice, number

SOURCE = "IEEE 1547-2018 6.5.2.7 table 24, as in OpenDER 2.2.0 and UL 1741 SB transcripts"
BACK = 1e-3
"""Per unit of rating: this near to the power before the event, droop has done its work (OpenDER 2.2.0)."""
INSIDE = Abstain(Idle.INSIDE_THE_DEAD_BAND)

AS4777 = "AS/NZS 4777.2:2020, as in the Q.HOME CORE manual"
EN = "EN 50549-1, as in Beckhoff TF8360"
REFERENCE = "the rating (IEEE 1547-2018), or the power at the edge of the band (EN 50549-1 for converters)"
RATED, MOMENTARY = P_REF = ("rated", "momentary")
DB_HZ, K, F_HZ = (0.0, 2.5), (0.01, 0.2), (40.0, 70.0)
"""What a dead band, a droop and a frequency may be at all, under a grid code that gives no range."""


def edge(source: str) -> Any:
    """An absolute frequency that only some grid codes have."""
    return number(None, low=F_HZ[0], high=F_HZ[1], wide=F_HZ, source=source, optional=True)


@value
class Memory:
    """All in per unit of rated active power.

    p_pre: latched when f left the dead band, None outside an event. home: where the response goes once f is back,
    the power before the event, or the ceiling's return ramp. lag: the reference through the response.
    side: +1 over-frequency, -1 under-frequency. p_last: the power at the last step. back: the event is over and
    home is the ceiling's return ramp. calm_s: for how long f has been inside the stop thresholds. inside: f was in
    the band at the last step. cut: the ceiling that stood when f fell through the band, None without; it rises with
    the response, and after the event on the ramp. lift: the floor that stood when f rose through it, on its way back
    with the response to what was before (u); never above the ceiling.
    """

    p_pre: float | None = None
    home: float = 0.0
    side: int = 0
    lag: Lag | None = None
    p_last: float | None = None
    back: bool = False
    calm_s: float = 0.0
    inside: bool = False
    cut: float | None = None
    lift: Lag | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FreqDroop(Ruled):
    """Outside a dead band power falls with rising frequency and rises with falling, from what it was before.

    P = P_pre -/+ P_ref (|f - f_nom| - db) / (f_nom k); a ceiling in over-frequency, a floor in under-frequency.
    P_pre is the last power each time that f leaves the band, on either side, with the response going on from there.
    Where a code gives the end of the line, of_end_hz: from P_pre at the edge of the band to the least power there.
    p_min_pu bounds the reduction. return_pu_per_s ramps the ceiling up once P_pre is reached again; with stop_s it
    rises from the least that was asked for, once f has been inside the stop thresholds for so long.
    """

    kind: ClassVar[str] = "freq_droop"
    rank: ClassVar[int] = 20

    db_of_hz: float = number(0.036, low=0.017, high=1.0, wide=DB_HZ, source="dead band above nominal; " + SOURCE)
    db_uf_hz: float = number(0.036, low=0.017, high=1.0, wide=DB_HZ, source="dead band below nominal; " + SOURCE)
    k_of: float = number(
        0.05, low=0.02, high=0.05, wide=K, source="droop above nominal, pu/pu; " + SOURCE + "; category III"
    )
    k_uf: float = number(
        0.05, low=0.02, high=0.05, wide=K, source="droop below nominal, pu/pu; " + SOURCE + "; category III"
    )
    olrt_s: float = number(
        5.0, low=0.2, high=10.0, wide=(0.2, 60.0), source="time to 90 %; " + SOURCE + "; category III"
    )
    p_ref_of: str = choice(RATED, among=P_REF, source="what k_of is a share of; " + REFERENCE, ruled=True)
    p_ref_uf: str = choice(RATED, among=P_REF, source="what k_uf is a share of; " + REFERENCE, ruled=True)
    of_end_hz: float | None = edge("f where power is at its least, instead of k_of; " + AS4777)
    uf_end_hz: float | None = edge("f where a store gives its most, instead of k_uf; " + AS4777)
    of_mid_hz: float | None = edge("f where a store has stopped discharging; " + AS4777)
    uf_mid_hz: float | None = edge("f where a store has stopped charging; " + AS4777)
    of_stop_hz: float | None = edge("f below which an over-frequency event may end; default: the band's edge; " + EN)
    uf_stop_hz: float | None = edge("f above which an under-frequency event may end; default: the band's edge; " + EN)
    stop_s: float = number(
        0.0, low=0.0, high=3600.0, wide=(0.0, 3600.0), source="f inside the stop thresholds; " + EN
    )
    p_min_pu: float | None = number(
        None,
        low=-1.0,
        high=1.0,
        source="least power it goes down to, share of the rating; default: the device's own least",
        optional=True,
    )
    return_pu_per_s: float = number(
        0.1,
        low=0.001,
        high=1.0,
        source="return after over-frequency, share of the rating a second; our choice: docs/sources.md",
    )

    def start(self) -> Memory:
        """Nothing latched."""
        return Memory()

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step. Latches at entry, also when it starts outside the band; abstains without fresh f and P."""
        f_hz, p_w = der.reading.f_hz, der.reading.p_w
        if not der.fresh or f_hz is None or p_w is None:
            return memory, Abstain("no fresh frequency and power", lost=True)
        unit_w = der.rating.per_unit_w
        if unit_w <= 0.0:
            return memory, Abstain("no active-power rating")
        p_pu, top = p_w / unit_w, der.rating.p_max_w / unit_w
        over_hz, side = self._outside(f_hz, site.f_nom_hz, store=der.rating.p_min_w < 0.0)
        if memory.p_pre is None and side == 0:
            return Memory(p_last=p_pu), INSIDE
        memory = replace(_latched(memory, p_pu, side), inside=side == 0)
        assert memory.p_pre is not None and memory.lag is not None
        low = der.rating.p_min_w / unit_w if self.p_min_pu is None else self.p_min_pu
        reference = clamp(memory.home, low, top)
        if side != 0:
            reference = self._reference(memory.p_pre, over_hz, side, site.f_nom_hz, (low, top))
        lag, ended = memory.lag, side == 0
        if self.stop_s > 0.0 and not memory.back:
            memory, reference = self._kept_low(memory, lag, reference, self._calm(f_hz, site.f_nom_hz), dt_s)
            ended = memory.calm_s >= self.stop_s
        if ended and abs(lag.y - reference) < BACK:
            return self._released(memory, der, p_pu, top, dt_s)
        lag = follow(lag, reference, dt_s=dt_s, olrt_s=self.olrt_s)
        cut = None if memory.cut is None else max(memory.cut, lag.y)
        memory = replace(memory, lag=lag, p_last=p_pu, cut=cut, lift=self._let_down(memory.lift, dt_s))
        return memory, self._propose(memory, der)

    def _let_down(self, lift: Lag | None, dt_s: float) -> Lag | None:
        """What was given in under-frequency goes back as if f were in the band, and is let go near that."""
        if lift is None or lift.y - lift.u < BACK:
            return None
        return follow(lift, lift.u, dt_s=dt_s, olrt_s=self.olrt_s)

    def _outside(self, f_hz: float, f_nom_hz: float, *, store: bool) -> tuple[float, int]:
        """How far f is outside the band, and on which side. A code with uf_end_hz asks stores alone to give more."""
        over = f_hz - f_nom_hz - self.db_of_hz
        if over > 0.0:
            return over, 1
        under = f_nom_hz - self.db_uf_hz - f_hz
        if under > 0.0 and (store or self.uf_end_hz is None):
            return under, -1
        return 0.0, 0

    def _reference(
        self, p_pre: float, over_hz: float, side: int, f_nom_hz: float, span: tuple[float, float]
    ) -> float:
        """Where power is to go, in per unit of rating. span: its least and most."""
        low, top = span
        if side > 0 and self.of_end_hz is not None:
            mid_hz = self.of_mid_hz if low < 0.0 else None
            corner = None if mid_hz is None else (mid_hz, min(p_pre, 0.0))
            return _line(p_pre, over_hz, f_nom_hz + self.db_of_hz, corner, (self.of_end_hz, min(low, p_pre)))
        if side < 0 and self.uf_end_hz is not None:
            corner = None if self.uf_mid_hz is None else (self.uf_mid_hz, max(p_pre, 0.0))
            return _line(p_pre, over_hz, f_nom_hz - self.db_uf_hz, corner, (self.uf_end_hz, max(top, p_pre)))
        k, p_ref = (self.k_of, self.p_ref_of) if side > 0 else (self.k_uf, self.p_ref_uf)
        shift = over_hz / (f_nom_hz * k)
        if p_ref == MOMENTARY:
            shift *= abs(p_pre)
        return clamp(p_pre - shift if side > 0 else p_pre + shift, low, top)

    def _calm(self, f_hz: float, f_nom_hz: float) -> bool:
        """Whether f is inside the stop thresholds."""
        upper = f_nom_hz + self.db_of_hz if self.of_stop_hz is None else self.of_stop_hz
        lower = f_nom_hz - self.db_uf_hz if self.uf_stop_hz is None else self.uf_stop_hz
        return lower <= f_hz <= upper

    def _kept_low(self, memory: Memory, lag: Lag, reference: float, calm: bool, dt_s: float) -> tuple[Memory, float]:
        """Until f has been inside the stop thresholds for stop_s, nothing that was cut comes back; then it begins at
        what was left."""
        memory = replace(memory, calm_s=memory.calm_s + dt_s if calm else 0.0)
        if memory.side < 0:
            return memory, reference
        left = min(reference, lag.y)
        return (replace(memory, home=left) if memory.calm_s >= self.stop_s else memory), left

    def misfit(self, f_nom_hz: float) -> SettingError | None:
        """The first frequency that lies on the wrong side of another, at a site of this nominal frequency."""
        start, below = f_nom_hz + self.db_of_hz, f_nom_hz - self.db_uf_hz
        for name, ends, sign in (
            ("of", (self.of_mid_hz, self.of_end_hz), 1.0),
            ("uf", (self.uf_mid_hz, self.uf_end_hz), -1.0),
        ):
            last = start if sign > 0.0 else below
            for part, end_hz in zip(("mid", "end"), ends, strict=True):
                if end_hz is not None and (end_hz - last) * sign <= 0.0:
                    return SettingError(
                        f"{name}_{part}_hz", end_hz, f"{'above' if sign > 0.0 else 'below'} {last:g} Hz"
                    )
                last = last if end_hz is None else end_hz
        if self.of_stop_hz is not None and self.of_stop_hz > start:
            return SettingError("of_stop_hz", self.of_stop_hz, f"at most {start:g} Hz, where the band ends")
        if self.uf_stop_hz is not None and self.uf_stop_hz < below:
            return SettingError("uf_stop_hz", self.uf_stop_hz, f"at least {below:g} Hz, where the band ends")
        return None

    def _released(
        self, memory: Memory, der: DerState, p_pu: float, top: float, dt_s: float
    ) -> tuple[Memory, Proposal | Abstain]:
        """f is back and so is P: the ceiling rises on a ramp until it binds nobody; a floor is simply let go."""
        stood = memory.home if memory.side > 0 else memory.cut
        risen = top if stood is None else ramp(stood, top, up_per_s=self.return_pu_per_s, dt_s=dt_s)
        lift = self._let_down(memory.lift, dt_s)
        if risen >= top and lift is None:
            return Memory(p_last=p_pu), INSIDE
        lag = Lag(y=risen, u=risen)
        memory = Memory(p_pre=risen, home=risen, side=1, lag=lag, p_last=p_pu, back=True, inside=True, lift=lift)
        return memory, self._propose(memory, der)

    def _propose(self, memory: Memory, der: DerState) -> Proposal:
        assert memory.lag is not None
        p_w = memory.lag.y * der.rating.per_unit_w
        if memory.side > 0:
            lift = memory.lift
            floor_w = None if lift is None else min(lift.y * der.rating.per_unit_w, p_w)
            return Proposal(by=self.kind, rank=self.rank, p_ceiling_w=p_w, p_floor_w=floor_w)
        cut_w = None if memory.cut is None else memory.cut * der.rating.per_unit_w
        return Proposal(by=self.kind, rank=self.rank, p_floor_w=p_w, p_ceiling_w=cut_w)


def _latched(memory: Memory, p_pu: float, side: int) -> Memory:
    """When f leaves the band, or passes through it: the last power, that of the step before at rest. On the same side
    the response goes on, never the easy way; on the other what was cut becomes a ceiling beside the floor, and what
    was lifted a floor below the ceiling."""
    lag = memory.lag
    if lag is None:
        p_pre = p_pu if memory.p_last is None else memory.p_last
        return Memory(p_pre=p_pre, home=p_pre, side=side, lag=Lag(y=p_pre, u=p_pre), p_last=memory.p_last)
    if side == 0 or (side == memory.side and not memory.inside):
        return memory
    if side == memory.side and not memory.back:
        y = min(lag.y, p_pu) if side > 0 else max(lag.y, p_pu)
        return replace(memory, p_pre=p_pu, lag=Lag(y=y, u=y), calm_s=0.0)
    cut, lift = (lag.y, None) if side < 0 else (None, memory.lift)
    if memory.side < 0:
        lift = Lag(y=min(lag.y, p_pu), u=memory.home)
    new = Lag(y=p_pu, u=p_pu)
    return Memory(p_pre=p_pu, home=p_pu, side=side, lag=new, p_last=memory.p_last, cut=cut, lift=lift)


def _line(
    p_pre: float, over_hz: float, start_hz: float, corner: tuple[float, float] | None, end: tuple[float, float]
) -> float:
    """From P_pre at the edge of the band to the end of the line; a store goes by way of rest, the corner."""
    ways = (end,) if corner is None else (corner, end)
    return Curve(((0.0, p_pre), *((abs(f_hz - start_hz), p_pu) for f_hz, p_pu in ways)))(over_hz)


def uncut_event(memory: Memory) -> Memory:
    """While nothing is written: the event with what it was latched at; its response begins at the measured power,
    since nobody has followed it. After the event nothing was cut, so nothing has to return."""
    if memory.p_pre is None or memory.lag is None or memory.p_last is None:
        return memory
    if memory.back:
        return Memory(p_last=memory.p_last)
    if memory.side > 0:
        y = max(memory.lag.y, min(memory.p_last, memory.p_pre))
    else:
        y = min(memory.lag.y, max(memory.p_last, memory.p_pre))
    return replace(memory, lag=Lag(y=y, u=y), cut=None, lift=None)


def kept_event(memory: Memory) -> dict[str, Any] | None:
    """An event in progress, for a restart; None at rest."""
    if memory.p_pre is None or memory.lag is None:
        return None
    plain = {"p_pre": memory.p_pre, "home": memory.home, "side": memory.side, "y": memory.lag.y, "back": memory.back}
    if memory.lift is not None:
        plain |= {"lift": memory.lift.y, "lift_home": memory.lift.u}
    return plain if memory.cut is None else plain | {"cut": memory.cut}


def event_of(plain: Any) -> Memory:
    """It goes on from where it was; one that an earlier build kept has no home. Raises ValueError."""
    if not isinstance(plain, Mapping):
        raise ValueError(f"{plain!r} is no droop event")
    p_pre, y, side = (finite(plain, name) for name in ("p_pre", "y", "side"))
    if side not in {-1.0, 1.0}:
        raise ValueError(f"side = {side:g} is neither -1 nor 1")
    home = finite(plain, "home") if "home" in plain else p_pre
    cut = finite(plain, "cut") if "cut" in plain else None
    lift = Lag(y=finite(plain, "lift"), u=finite(plain, "lift_home")) if "lift" in plain else None
    back = plain.get("back") is True
    return Memory(p_pre=p_pre, home=home, side=int(side), lag=Lag(y=y, u=y), back=back, cut=cut, lift=lift)
