"""What a test step at a site may ask for: a generator yields these and is sent what was heard while they stood."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from derctl.core.types import NOTHING, Setpoint
from derctl.core.value import value
from derctl.core.words import Status


@value
class Stage:
    """One DER is told this, and it stands for so long. NOTHING: nobody is told anything. says: for people."""

    setpoint: Setpoint = NOTHING
    seconds: float
    says: str = ""


@value
class Sample:
    """One poll of the DER, read at t_s (monotonic), and what the meter showed last. None: not known, or not lately.

    ders_w: what all DERs give together. v_pu: at its terminals, or at the meter where it measures none.
    """

    t_s: float
    p_w: float | None = None
    q_var: float | None = None
    v_pu: float | None = None
    ders_w: float | None = None
    meter_w: float | None = None
    status: Status = Status.UNKNOWN


@value
class Heard:
    """at_s: when the last register was sent, or when it began where nothing was. sent: as the device could take it.
    accepted: as it reads it back; None where it can't be read back. refused: what it answered instead."""

    at_s: float
    samples: tuple[Sample, ...]
    sent: Setpoint = NOTHING
    accepted: Setpoint | None = None
    refused: str = ""


T = TypeVar("T")
Play = Generator[Stage, Heard, T]
"""A course of stages that ends with a T."""
