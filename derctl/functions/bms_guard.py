"""What the battery management system permits now, what to do when it falls silent, and the way back from empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, ClassVar

from derctl.core.capability import let_out_w, shares_its_sun
from derctl.core.dataclass import dataclass
from derctl.core.pack import Bounds, Left, charging, discharging
from derctl.core.types import FOREVER_S, Abstain, DerState, Proposal, Reading, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Bar, Reason
from derctl.errors import SettingError
from derctl.functions.plain import finite
from derctl.functions.settings import Settings, number

OURS = "our choice: docs/sources.md"
LOSS = "AC power per DC power on discharge, " + OURS
CELLS = "not used unless given; the maker's manual decides"

RISE_S = 10.0
"""What is let more again rises by the full scale in this; what is let less counts at once."""
RISEN = 0.9
"""From this share of a limit on it is said to have come back."""
OPEN_S, ASLEEP_S = 10.0, 600.0
"""The first try waits so long where an empty battery's contactor is open, and where its BMS is not heard."""
TRY_S, EVERY_S = 60.0, 600.0
"""A try lasts so long, and the next begins so long after it began."""
BLIND_S = 3600.0
"""While its BMS is not heard it is given no more than the power of a try for so long, in all."""
EMPTY_PCT = 5.0
"""At or below it a battery whose contactor is open counts as empty, whatever alarm it has for that."""
LOW = frozenset({Bar.UNDER_VOLT, Bar.EMPTY})


@value
class Side:
    """One way. w: the last limit heard, DC, None before the first; age_s: since then. left: what cells, temperatures
    and alarms leave of it. let_w: what it was let last, AC, None: all.

    heard: it was told something of this way once.
    """

    w: float | None = None
    age_s: float = 0.0
    left: Left = Left()
    let_w: float | None = None
    heard: bool = False


@value
class Memory:
    """may: by its last word it may be charged a little, if only to close its contactor. locked_s: for how long it has
    been kept from that; trying: it is let all the same, to recover; given_wh: what it took while it was not heard.
    why: what is to be said of it.
    """

    charge: Side = Side()
    discharge: Side = Side()
    may: bool = False
    locked_s: float = 0.0
    trying: bool = False
    given_wh: float = 0.0
    why: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BmsGuard(Settings):
    """Keeps a battery inside its BMS's limits. When that falls silent: the last ones, then down to 0 W by stop_s.

    A limit that it gave and gives no more is silence on that side, however fresh the rest is. What bars one way
    leaves the other. One that is too low is charged with recovery_pct; one whose contactor is open since it is empty,
    or whose BMS has gone to sleep, may take that much for a minute now and then, so that it comes back.
    """

    kind: ClassVar[str] = "bms_guard"
    rank: ClassVar[int] = 0

    ramp_s: float = number(10.0, low=1.0, high=60.0, source="silence of the BMS before its limits go down, " + OURS)
    stop_s: float = number(
        30.0, low=2.0, high=120.0, source="silence of the BMS after which the battery rests, " + OURS
    )
    efficiency: float = number(0.95, low=0.5, high=1.0, source=LOSS)
    recovery_pct: float = number(
        5.0, low=1.0, high=20.0, source="of its charging power, what one that is too low gets, " + OURS
    )
    cell_high_v: float | None = number(optional=True, low=1.0, high=5.0, source=CELLS)
    cell_low_v: float | None = number(optional=True, low=0.5, high=4.5, source=CELLS)
    charge_t_low_c: float | None = number(optional=True, low=-40.0, high=60.0, source=CELLS)
    charge_t_high_c: float | None = number(optional=True, low=-20.0, high=100.0, source=CELLS)
    discharge_t_low_c: float | None = number(optional=True, low=-60.0, high=60.0, source=CELLS)
    discharge_t_high_c: float | None = number(optional=True, low=-20.0, high=100.0, source=CELLS)
    own: Bounds = field(init=False, repr=False)

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        if self.stop_s <= self.ramp_s:
            raise SettingError("stop_s", self.stop_s, f"more than ramp_s = {self.ramp_s:g}")
        for low, high in (
            ("cell_low_v", "cell_high_v"),
            ("charge_t_low_c", "charge_t_high_c"),
            ("discharge_t_low_c", "discharge_t_high_c"),
        ):
            least, most = getattr(self, low), getattr(self, high)
            if least is not None and most is not None and most <= least:
                raise SettingError(high, most, f"more than {low} = {least:g}")
        own = Bounds(
            cell_high_v=self.cell_high_v,
            cell_low_v=self.cell_low_v,
            charge_t_low_c=self.charge_t_low_c,
            charge_t_high_c=self.charge_t_high_c,
            discharge_t_low_c=self.discharge_t_low_c,
            discharge_t_high_c=self.discharge_t_high_c,
        )
        object.__setattr__(self, "own", own)

    def start(self) -> Memory:
        """Nothing heard yet."""
        return Memory()

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step. A battery whose BMS has never been heard is held at rest."""
        age_s = der.age_s if der.bms_age_s is None else der.bms_age_s
        speaks = age_s <= 2.0 * site.tick_s + 1e-9
        memory = self._heard(memory, der.reading, age_s, dt_s, speaks=speaks)
        small_w = -self.recovery_pct / 100.0 * der.rating.p_min_w
        memory = self._locked(memory, der, small_w, dt_s, speaks=speaks)
        if not memory.charge.heard and not memory.discharge.heard:
            if der.bms_age_s is None and der.fresh:
                return memory, Abstain("the battery states no limits")
            memory = replace(memory, why=Reason.BATTERY_RECOVERS if memory.trying else None)
            small_w = small_w if memory.trying else 0.0
            return memory, self._said(memory, let_out_w(der, 0.0), small_w)
        step_w = der.rating.size_w / RISE_S * dt_s
        # The limits are DC. Charging needs no factor: less reaches the battery than crosses the AC terminals.
        out_w = self._let(memory.discharge, self.efficiency, der.rating.p_max_w, step_w)
        in_w = self._let(memory.charge, 1.0, -der.rating.p_min_w, step_w)
        barred = in_w == 0.0
        low = Bar.UNDER_VOLT in memory.discharge.left.bars
        if low:
            in_w = small_w if in_w is None else min(in_w, small_w)
        recovers = memory.trying or (low and (in_w is None or in_w > 0.0))
        memory = replace(
            memory,
            charge=replace(memory.charge, let_w=in_w),
            discharge=replace(memory.discharge, let_w=out_w),
            why=Reason.BATTERY_RECOVERS if recovers else self._why(memory),
        )
        # How much sun there is shows only while the battery takes what the ceiling holds back.
        ceiling_w = None if barred and shares_its_sun(der) else let_out_w(der, out_w)
        return memory, self._said(memory, ceiling_w, small_w if memory.trying else in_w)

    def _said(self, memory: Memory, ceiling_w: float | None, in_w: float | None) -> Proposal:
        floor_w = None if in_w is None else -in_w
        return Proposal(by=self.kind, rank=self.rank, p_ceiling_w=ceiling_w, p_floor_w=floor_w, why=memory.why)

    def _why(self, memory: Memory) -> Reason | None:
        """An alarm that comes and goes is one: it is said to be over once what it barred has risen again."""
        sides = (memory.charge, memory.discharge)
        if any(side.heard and side.age_s > self.ramp_s for side in sides):
            return Reason.BATTERY_SILENT
        if any(side.left.bars for side in sides):
            return Reason.BATTERY_BARRED
        rising = _rising(memory.charge, 1.0) or _rising(memory.discharge, self.efficiency)
        return memory.why if rising else None

    def _heard(self, memory: Memory, told: Reading, age_s: float, dt_s: float, *, speaks: bool) -> Memory:
        """What was heard, and how long ago; age_s: of the last answer."""
        pack = told.pack
        into = None if pack is None else charging(pack, self.own)
        out = None if pack is None else discharging(pack, self.own)
        return replace(
            memory,
            charge=_side(memory.charge, told.p_charge_limit_w, into, age_s, dt_s, speaks=speaks),
            discharge=_side(memory.discharge, told.p_discharge_limit_w, out, age_s, dt_s, speaks=speaks),
        )

    def _locked(self, memory: Memory, der: DerState, small_w: float, dt_s: float, *, speaks: bool) -> Memory:
        """Whether it is kept from charging though its last word, or its being empty, speaks for it."""
        into, soc = memory.charge, der.reading.soc_pct
        empty = not LOW.isdisjoint(memory.discharge.left.bars) or (soc is not None and soc <= EMPTY_PCT)
        waits = set(into.left.bars) == {Bar.CONTACTOR_OPEN} and empty
        if speaks and into.heard:
            allowed = not into.left.bars and (into.w is None or into.w >= small_w)
            memory = replace(memory, may=waits or allowed, given_wh=0.0)
        stands = der.bms_age_s == FOREVER_S
        asleep = not speaks and not stands and (not into.heard or into.age_s >= self.stop_s)
        if small_w <= 0.0 or not memory.may or (speaks and not waits):
            return replace(memory, locked_s=0.0, trying=False)
        if not speaks and not asleep:
            return replace(memory, trying=False)
        since_s = memory.locked_s - (ASLEEP_S if asleep else OPEN_S)
        given_wh = memory.given_wh
        if asleep and memory.trying:
            given_wh += max(-(der.reading.p_w or 0.0), 0.0) * dt_s / 3600.0
        spent = given_wh >= small_w * BLIND_S / 3600.0
        trying = since_s >= 0.0 and since_s % EVERY_S < TRY_S and not spent
        return replace(memory, locked_s=memory.locked_s + dt_s, trying=trying, given_wh=given_wh)

    def _let(self, side: Side, factor: float, rated_w: float, step_w: float) -> float | None:
        """What goes that way at the AC terminals; None: nothing bounds it."""
        if not side.heard:
            return None
        left = side.left.share * self._scale(side.age_s)
        stated_w = rated_w if side.w is None else side.w * factor
        risen_w = stated_w * left if side.let_w is None else min(stated_w * left, side.let_w + step_w)
        free = side.w is None and left == 1.0 and risen_w >= rated_w
        return None if free else risen_w

    def _scale(self, age_s: float) -> float:
        if age_s <= self.ramp_s:
            return 1.0
        return max(0.0, (self.stop_s - age_s) / (self.stop_s - self.ramp_s))


def _rising(side: Side, factor: float) -> bool:
    """Whether it was let less than its limit last; let_w is still that of the tick before."""
    return side.let_w is not None and side.w is not None and side.let_w < RISEN * side.left.share * side.w * factor


def _side(side: Side, limit_w: float | None, left: Left | None, age_s: float, dt_s: float, *, speaks: bool) -> Side:
    """One way, one tick on. What comes late counts where it is less."""
    limit_w = None if limit_w is None else max(limit_w, 0.0)
    if not speaks:
        late_w = side.w if limit_w is None or side.w is None else min(side.w, limit_w)
        less = side.heard and left is not None and left.share < side.left.share
        return replace(
            side,
            w=late_w,
            left=left if less and left is not None else side.left,
            age_s=max(age_s, side.age_s + dt_s),
        )
    told = limit_w is not None or (left is not None and side.w is None)
    return replace(
        side,
        w=side.w if limit_w is None else limit_w,
        left=side.left if left is None else left,
        age_s=age_s if told else max(age_s, side.age_s + dt_s),
        heard=side.heard or told,
    )


def kept_guard(memory: Memory) -> dict[str, Any] | None:
    """So that a restart beside a BMS that sleeps does not lock its battery out."""
    return {"given_wh": memory.given_wh} if memory.may else None


def guard_of(plain: Any) -> Memory:
    """It goes on from there, and waits for the BMS like at the first start. Raises ValueError."""
    if not isinstance(plain, Mapping):
        raise ValueError(f"{plain!r} is nothing that is known of a battery")
    return Memory(may=True, given_wh=max(finite(plain, "given_wh"), 0.0))
