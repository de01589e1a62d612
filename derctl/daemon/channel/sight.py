"""What one poll of a device is worth: what of it can be believed, and what is to be said of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from derctl.core.exchange import Registers
from derctl.core.types import Rating, Reading
from derctl.core.value import made, value
from derctl.core.words import Reason
from derctl.daemon.channel.binding import Look
from derctl.daemon.channel.steady import Steady, fitted, named, steadied
from derctl.devices import Device, Options
from derctl.devices.nominal import fits
from derctl.devices.plausible import plausible, unmeasured


@value
class Sight:
    """steady: what is known of it through time. reading: what can be believed. look, reason, text: for its binding.

    news: what is held, where it is time to name it.
    """

    steady: Steady
    reading: Reading
    look: Look = Look.READ
    reason: Reason | None = None
    text: str = ""
    news: str = ""


_new_sight = made(Sight)


class Decoded(NamedTuple):
    """What a device's answers say: seen, as the driver decoded them, and reading, what of that can be true."""

    device: Device
    answers: Mapping[str, Registers]
    seen: Reading
    reading: Reading


def decoded(before: Decoded | None, device: Device, answers: Mapping[str, Registers]) -> Decoded:
    """Registers that are the same say the same: many devices are asked more often than they renew them."""
    if before is not None and before.device is device and before.answers == answers:
        return before
    seen = device.decode(answers)
    return Decoded(device, answers, seen, plausible(seen, device.rating))


def sight(
    steady: Steady, said: Decoded, options: Options, doubt: str | None, now_s: float, soc_s: float | None = None
) -> Sight:
    """doubt: what of it speaks against the site file. soc_s: when its state of charge was read, where that was not
    now."""
    rating = said.device.rating
    if not steady.fits or steady.misfit:
        steady = fitted(steady, doubt, proven=fits(said.seen, options.v_nom_v, options.f_nom_hz))
    steady, reading, held = steadied(steady, said.reading, rating, now_s, soc_s)
    steady, is_news = named(steady, held.split(" reads")[0], now_s) if held else (steady, False)
    look, reason, text = _said(steady, reading, rating, held)
    return _new_sight(
        steady=steady, reading=reading, look=look, reason=reason, text=text, news=held if is_news else ""
    )


def _said(steady: Steady, reading: Reading, rating: Rating, held: str) -> tuple[Look, Reason | None, str]:
    if steady.misfit:
        return Look.WRONG, Reason.MISMATCH, steady.misfit
    if unmeasured(reading, rating):
        sized = rating.size_w > 0.0
        return Look.READ if sized else Look.BLANK, Reason.UNMEASURED, POWERLESS if sized else BLANK
    return Look.READ, Reason.IMPLAUSIBLE if held else None, held


POWERLESS = "it answers, but its power is not implemented or can't be true"
BLANK = "it answers, but measures nothing: its values are not implemented, 0 V, or beyond any plant"
