"""What a face sees of the plant when it refreshes its registers."""

from dataclasses import dataclass

from hil.plant.site import SiteState


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """Nameplate of a device; `energy_wh` and `p_charge_max_w` 0 without a battery."""

    p_max_w: float
    s_max_va: float
    q_max_var: float
    p_charge_max_w: float = 0.0
    energy_wh: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    """The plant's state and the site's nominals. `unbalance_pu` is added to the voltage of each phase."""

    state: SiteState
    v_nom_v: float
    f_nom_hz: float
    phases: int
    unbalance_pu: tuple[float, ...] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcReading:
    """AC terminals or a meter, + towards the grid; `v_v` per phase to neutral. Powers and energies per phase are
    equal shares where they are not told."""

    p_w: float
    q_var: float
    v_v: tuple[float, ...]
    f_hz: float
    energy_out_wh: float
    energy_in_wh: float
    told_p_w: tuple[float, ...] = ()
    told_q_var: tuple[float, ...] = ()
    told_out_wh: tuple[float, ...] = ()
    told_in_wh: tuple[float, ...] = ()

    @property
    def each_p_w(self) -> tuple[float, ...]:
        """Per phase."""
        return self.told_p_w or self._shares(self.p_w)

    @property
    def each_q_var(self) -> tuple[float, ...]:
        """Per phase."""
        return self.told_q_var or self._shares(self.q_var)

    @property
    def each_out_wh(self) -> tuple[float, ...]:
        """Per phase."""
        return self.told_out_wh or self._shares(self.energy_out_wh)

    @property
    def each_in_wh(self) -> tuple[float, ...]:
        """Per phase."""
        return self.told_in_wh or self._shares(self.energy_in_wh)

    @property
    def each_s_va(self) -> tuple[float, ...]:
        """Per phase."""
        return tuple(float((p * p + q * q) ** 0.5) for p, q in zip(self.each_p_w, self.each_q_var, strict=True))

    @property
    def each_a(self) -> tuple[float, ...]:
        """Per phase."""
        return tuple(s / max(v, 1.0) for s, v in zip(self.each_s_va, self.v_v, strict=True))

    def _shares(self, whole: float) -> tuple[float, ...]:
        return (whole / len(self.v_v),) * len(self.v_v)

    @property
    def s_va(self) -> float:
        """Apparent power."""
        return float((self.p_w**2 + self.q_var**2) ** 0.5)

    @property
    def v_mean_v(self) -> float:
        """Mean phase-to-neutral voltage."""
        return sum(self.v_v) / len(self.v_v)

    @property
    def current_a(self) -> float:
        """Sum of the phase currents."""
        return sum(self.each_a) if self.told_p_w else self.s_va / max(self.v_mean_v, 1.0)

    @property
    def pf(self) -> float:
        """P over S, signed like P; 1 when nothing flows."""
        return self.p_w / self.s_va if self.s_va > 1e-6 else 1.0


def phase_voltages_v(view: SiteView, v_pu: float, each_pu: tuple[float, ...] = ()) -> tuple[float, ...]:
    """Phase-to-neutral volts for a node voltage; `each_pu` where the feeder has phases of its own."""
    if each_pu:
        return tuple(view.v_nom_v * v for v in each_pu)
    offsets = view.unbalance_pu[: view.phases]
    return tuple(view.v_nom_v * max(0.0, v_pu + offset) for offset in offsets)


def between_v(v_v: tuple[float, ...]) -> tuple[float, ...]:
    """Volts between the lines AB, BC, CA, a third of a turn apart; of fewer than three phases none."""
    if len(v_v) != 3:
        return ()
    pairs = ((v_v[0], v_v[1]), (v_v[1], v_v[2]), (v_v[2], v_v[0]))
    return tuple(float((a * a + b * b + a * b) ** 0.5) for a, b in pairs)
