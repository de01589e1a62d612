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
    """AC terminals or a meter, + towards the grid; `v_v` per phase to neutral."""

    p_w: float
    q_var: float
    v_v: tuple[float, ...]
    f_hz: float
    energy_out_wh: float
    energy_in_wh: float

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
        return self.s_va / max(self.v_mean_v, 1.0)

    @property
    def pf(self) -> float:
        """P over S, signed like P; 1 when nothing flows."""
        return self.p_w / self.s_va if self.s_va > 1e-6 else 1.0


def phase_voltages_v(view: SiteView, v_pu: float) -> tuple[float, ...]:
    """Phase-to-neutral volts for a node voltage."""
    offsets = view.unbalance_pu[: view.phases]
    return tuple(view.v_nom_v * max(0.0, v_pu + offset) for offset in offsets)
