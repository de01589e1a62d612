"""Loads: drawn power (positive here means drawn) with a voltage exponent."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """`p_w`, `q_var` are drawn at nominal voltage; P ~ V^v_exponent (0 constant power, 2 constant impedance).
    `phase`: "a", "b" or "c" of a single-phase one, on a feeder with phases."""

    node: str
    p_w: float
    q_var: float = 0.0
    v_exponent: float = 0.0
    phase: str = ""


def injection_va(load: Load, v_pu: float) -> complex:
    """What the load injects: the negative of what it draws."""
    return complex(-load.p_w, -load.q_var) * float(max(v_pu, 0.0) ** load.v_exponent)
