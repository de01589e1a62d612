"""Frequency by recorded or drawn curve, and by a one-mass swing model that feels the plant."""

from dataclasses import dataclass, replace

from hil.plant.curve import Points, interpolate


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequencyCurve:
    """f(t) from points [t_s, f_hz]: replay of an event, or drawn in a scenario."""

    points: Points

    def at(self, t_s: float) -> float:
        """Hz at plant time t_s."""
        return interpolate(self.points, t_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwingParams:
    """2 E_k/f0 df/dt = P_gov + P_site - P_loss - D S (f - f0). Powers in W at system level, + lifts the frequency."""

    f_nom_hz: float = 50.0
    e_k_ws: float = 1e6
    s_base_va: float = 200e3
    damping_pu: float = 1.0
    droop_pu: float = 0.05
    governor_tau_s: float = 0.5
    turbine_tau_s: float = 0.5
    governor_limit_w: float = 1e9
    site_scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SwingState:
    """Frequency and the governor's two first-order stages."""

    f_hz: float
    valve_w: float = 0.0
    turbine_w: float = 0.0


def swing_step(state: SwingState, p: SwingParams, *, site_change_w: float, loss_w: float, dt_s: float) -> SwingState:
    """One step, by substeps of at most 20 ms. `site_change_w` is the site's export less that at the start."""
    steps = max(1, round(dt_s / 0.02))
    for _ in range(steps):
        state = _substep(state, p, site_change_w * p.site_scale - loss_w, dt_s / steps)
    return state


def _substep(state: SwingState, p: SwingParams, outside_w: float, dt_s: float) -> SwingState:
    deviation_hz = state.f_hz - p.f_nom_hz
    wanted_w = -deviation_hz / p.f_nom_hz / p.droop_pu * p.s_base_va
    wanted_w = max(-p.governor_limit_w, min(p.governor_limit_w, wanted_w))
    balance_w = state.turbine_w + outside_w - p.damping_pu * p.s_base_va * deviation_hz / p.f_nom_hz
    return replace(
        state,
        f_hz=state.f_hz + balance_w * p.f_nom_hz / (2.0 * p.e_k_ws) * dt_s,
        valve_w=state.valve_w + (wanted_w - state.valve_w) * min(1.0, dt_s / p.governor_tau_s),
        turbine_w=state.turbine_w + (state.valve_w - state.turbine_w) * min(1.0, dt_s / p.turbine_tau_s),
    )
