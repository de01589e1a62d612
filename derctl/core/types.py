"""The nouns. Sign everywhere: positive is towards the grid (generation, discharge, export), for P and for Q."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.evidence import NOTHING_KNOWN, Evidence, Need
from derctl.core.pack import Pack
from derctl.core.requests import Request
from derctl.core.value import value
from derctl.core.words import Achieved, FallbackBy, LimitsBy, Priority, Reason, Status, What


@value
class Rating:
    """What a DER can do at its AC terminals.

    p_min_w is 0 for PV and minus the charge rating for storage. q_inj_max_var and q_abs_max_var are both positive.
    v_nom_v is phase to neutral. e_max_wh is the storage's rated energy, None for PV.
    """

    p_max_w: float
    p_min_w: float
    s_max_va: float
    q_inj_max_var: float
    q_abs_max_var: float
    v_nom_v: float
    e_max_wh: float | None = None

    @property
    def per_unit_w(self) -> float:
        """What 1 per unit of active power is: what it gives; of one that only draws, what it draws."""
        return self.p_max_w if self.p_max_w > 0.0 else -self.p_min_w

    @property
    def size_w(self) -> float:
        """The larger of what it gives and what it draws: what shares of the rating are taken of, where both count."""
        gives_w, draws_w = self.p_max_w, -self.p_min_w
        return gives_w if gives_w >= draws_w else draws_w


@value
class Port:
    """What one port takes. limit: a ceiling. aim: a target (a floor goes through it). var: reactive power."""

    limit: bool = False
    aim: bool = False
    var: bool = False


@value
class Capability:
    """What of a DER can be limited, aimed and given var, and at which port.

    ac: where it meets the grid. pv, battery: what is behind it, None where there is none; a port that takes nothing
    is there all the same. volatile: what it is told wears no memory out, so that it may be told every few seconds.
    least_w: of a limit, the least above 0 W that it takes: what keeps it awake, a step of its register or its dead
    band.
    """

    ac: Port = Port()
    pv: Port | None = None
    battery: Port | None = None
    volatile: bool = True
    least_w: float = 0.0

    @property
    def limit(self) -> bool:
        """Its AC power takes a ceiling."""
        return self.ac.limit

    @property
    def aim(self) -> bool:
        """Its AC power takes a target."""
        return self.ac.aim

    @property
    def var(self) -> bool:
        """It takes reactive power."""
        return self.ac.var

    @property
    def steer(self) -> bool:
        """Its AC power can be told in one way or another."""
        return self.ac.limit or self.ac.aim

    @property
    def rest(self) -> bool:
        """It takes a target and nothing else: while nobody aims at it, it is sent to 0 W."""
        return self.ac.aim and not self.ac.limit

    @property
    def store(self) -> bool:
        """A battery is behind it."""
        return self.battery is not None

    @property
    def balance(self) -> bool:
        """It can be aimed for the site's balance, and no sun is lost by that: it rests by itself, or it stores."""
        return self.ac.aim and (self.store or not self.ac.limit)


@value
class Setpoint:
    """What a DER is told. None: not told (given back to the device)."""

    p_ceiling_w: float | None = None
    p_target_w: float | None = None
    q_var: float | None = None


NOTHING = Setpoint()

FOREVER_S = 1e9
"""The age of what stands still, or is refused: it answers, and tells nothing of now."""


@value
class Reading:
    """One poll of one device. None: not implemented, not readable, or not a number; never 0 instead.

    v_v is the mean phase-to-neutral voltage. energy_wh counts what was delivered; it grows.
    p_phase_w: of a device with several phases, or of an inverter of which it is known in which it feeds, all of them.
    v_phase_v: the same of the voltage to neutral, None for a phase that it does not measure.
    phase_sum_w: what a meter's phases add up to, whether or not that is p_w; energy_in_wh: what it counted the other
    way.
    p_charge_limit_w and p_discharge_limit_w are what the BMS permits now, both positive; limits_by: where they come
    from, None of what has no battery. alarms: what the BMS complains of, None where nobody tells. pack: what else it
    tells of the battery, None where nobody tells. accepted is the setpoint as the device reads it back. own_on and
    own_off name the device's own grid functions that read back on and off; one in neither can't be read back.
    """

    p_w: float | None = None
    q_var: float | None = None
    v_v: float | None = None
    f_hz: float | None = None
    soc_pct: float | None = None
    soh_pct: float | None = None
    dc_p_w: float | None = None
    p_charge_limit_w: float | None = None
    p_discharge_limit_w: float | None = None
    limits_by: LimitsBy | None = None
    alarms: tuple[str, ...] | None = None
    pack: Pack | None = None
    energy_wh: float | None = None
    energy_in_wh: float | None = None
    p_phase_w: tuple[float, ...] | None = None
    v_phase_v: tuple[float | None, ...] | None = None
    phase_sum_w: float | None = None
    status: Status = Status.UNKNOWN
    accepted: Setpoint | None = None
    own_on: tuple[str, ...] = ()
    own_off: tuple[str, ...] = ()


@value
class Fallback:
    """What the DER does when derctl is not there, by the site file's word, in W at its AC terminals.

    p_ceiling_w None: no limit, the full rating. after_s: the reversion time.
    """

    p_ceiling_w: float | None = None
    by: FallbackBy = FallbackBy.REVERSION
    after_s: float = 60.0


@value
class Trial:
    """Of a DER that was not seen to move the meter yet (core/trial.py): what it says that it gives, but for the dip_w
    by which it is moved down, or was a moment ago; gave_w: what it said when it came. moved: by itself, to be seen.
    """

    p_w: float | None
    gave_w: float = 0.0
    dip_w: float = 0.0
    moved: bool = False


@value
class DerState:
    """One DER as the tick sees it. Nothing here changes under the functions.

    age_s: since the last register of `reading` arrived. sample grows by one with each new reading.
    fresh: young enough to act on. controllable: fresh, bound, and the site file lets derctl write it.
    bms_age_s: age of the battery's limits where they come from a BMS of its own; None where there is none.
    absent_w: the most it gives when derctl is not there, once its timer is out; None: its full rating.
    written: what derctl wrote last, unless the device refused it; for one that can't be read back, all that is known.
    found_w: somebody else's limit that was found in it and has to be kept. rise_w: the most it gets while what stood
    in it is relaxed. rest_w: where it rests while nobody aims at it, on its way from what it gave; None: at 0 W.
    halted: nobody is raised now, since somebody's fallback is not proven yet. unverified: it is not raised, since
    nobody tried what its firmware does. reverify_w: what it was held to when its firmware was seen to be another than
    the one that is relied on; None: it is the same.
    most_w: the most that what speaks for it alone leaves it in this tick; None: that is not said yet. seen_w: its
    power as it was measured lately (core/sun.py); None: not lately. trial: it came back, and what it
    claims does not count yet; None: it counts. unseen: it was never seen to move the meter (core/first.py);
    left: and it was away meanwhile. beyond_w: by how much it may give more than it is told. feeds_pu: what of its
    power is in phase A, B and C; None: that is not known.
    """

    id: str
    rating: Rating
    can: Capability
    reading: Reading
    age_s: float
    sample: int
    fresh: bool
    controllable: bool
    fallback: Fallback = field(default_factory=Fallback)
    bms_age_s: float | None = None
    absent_w: float | None = None
    written: Setpoint | None = None
    found_w: float | None = None
    rise_w: float | None = None
    rest_w: float | None = None
    halted: bool = False
    reverify_w: float | None = None
    unverified: bool = False
    most_w: float | None = None
    seen_w: float | None = None
    trial: Trial | None = None
    beyond_w: float = 0.0
    unseen: bool = False
    left: bool = False
    feeds_pu: tuple[float, ...] | None = None

    @property
    def v_pu(self) -> float | None:
        """Mean phase voltage in per unit of the nominal."""
        return None if self.reading.v_v is None else self.reading.v_v / self.rating.v_nom_v


@value
class PocState:
    """The meter at the point of connection. reading.p_w > 0 is export. answer grows by one with each reading, sample
    with each in which any register of its fast poll changed: nothing is learned from the same value twice.

    belief: as of this tick, before the functions of the site. witness_w: what another meter there shows; None: there
    is none, or it is not heard. followers: who else follows the meter, by the site file's word.
    """

    reading: Reading
    age_s: float
    sample: int
    fresh: bool
    v_nom_v: float
    answer: int = 0
    belief: Evidence = NOTHING_KNOWN
    witness_w: float | None = None
    followers: tuple[str, ...] = ()


@value
class SiteState:
    """Everything the control step may look at. t_s is monotonic; no wall clock comes in here. id: the site's name."""

    t_s: float
    tick_s: float
    f_nom_hz: float
    ders: tuple[DerState, ...]
    poc: PocState | None = None
    requests: tuple[Request, ...] = ()
    id: str = ""


@value
class Proposal:
    """What one function wants of one DER. None: no opinion. q_priority: who wins at the circle.

    q_per_w: var for each W of either sign, worked out once the power is decided; q_var is what it makes of the power
    measured now. why: where there is more to say than the function's name.
    """

    by: str
    rank: int
    p_ceiling_w: float | None = None
    p_floor_w: float | None = None
    p_target_w: float | None = None
    q_var: float | None = None
    q_per_w: float | None = None
    q_priority: Priority = Priority.REACTIVE
    why: Reason | None = None


@value
class PhaseEdges:
    """What the DERs in `over` may give in each phase, W: their power counts there by shares_pu, one for each of them.
    ceiling_w, floor_w: of phase A, B and C; (): no bound. why: as of a proposal."""

    over: tuple[str, ...]
    shares_pu: tuple[tuple[float, ...], ...]
    ceiling_w: tuple[float, ...] = ()
    floor_w: tuple[float, ...] = ()
    why: Reason | None = None


@value
class SiteProposal:
    """What one function wants of the sum of the DERs in `over` (their AC power, W); allocation splits it.

    why: where there is more to say than the function's name. meter_pu: how far its loop believes the meter at the
    point of connection, as what stores may draw of an export that only the meter shows, per unit of their rating:
    1 once it followed a step, 0 where it is doubted; None: it has no word on that. need: what depends on the meter by
    this function; None: nothing. apart_w: ceilings for single DERs that are no part of the sum, by their ids.
    blind: nothing shows what a DER does: what one gives that was never seen sends no store down, and what it draws
    leaves the others no room. phases: what may be given in each phase, beside the sum. uneven_w: what each phase
    exports without the stores: those with a single phase take what is uneven of it. asked: somebody asks for what is
    drawn, so that it need not come from the sun; limits of the same rank go before it.
    """

    by: str
    rank: int
    over: tuple[str, ...]
    p_ceiling_w: float | None = None
    p_floor_w: float | None = None
    p_target_w: float | None = None
    why: Reason | None = None
    meter_pu: float | None = None
    need: Need | None = None
    apart_w: tuple[tuple[str, float], ...] = ()
    blind: bool = False
    phases: PhaseEdges | None = None
    uneven_w: tuple[float, ...] = ()
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Abstain:
    """A function that has nothing to say, or no fresh input (lost), and why.

    lost: what it said last is held, and then the tighter of that and the fallback (core/lost.py). then: what it wants
    besides, once nothing is held any more, or where it never had its input.
    """

    reason: str
    lost: bool = False
    then: Proposal | None = None


@value
class Bound:
    """One narrowing that took effect: who, at what rank, which field, to what value; why, beyond the name."""

    by: str
    rank: int
    what: What
    value: float
    why: Reason | None = None


@value
class Decision:
    """One DER's setpoint and why it is what it is. requested is what the most senior operator request asked for."""

    der: str
    setpoint: Setpoint
    bound_by: tuple[Bound, ...] = ()
    abstained: Mapping[str, str] = field(default_factory=dict)
    requested: Setpoint | None = None
    requested_by: str | None = None


@value
class Outcome:
    """What became of a DER's setpoint; four words, never mixed. *_s: monotonic time of the last change, or None.

    reason: None where nothing needs one.
    """

    requested: Setpoint | None = None
    requested_by: str | None = None
    desired: Setpoint = NOTHING
    accepted: Setpoint | None = None
    achieved: Achieved = Achieved.UNKNOWN
    reason: Reason | None = None
    requested_s: float | None = None
    desired_s: float | None = None
    accepted_s: float | None = None
    achieved_s: float | None = None


@value
class Tick:
    """One scan: what was seen, what was decided. memories are those before the step, so that it can be replayed."""

    n: int
    dt_s: float
    state: SiteState
    memories: Mapping[str, object]
    decisions: tuple[Decision, ...]
