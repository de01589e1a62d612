"""Whether the device that answers is the one that is known. What it doesn't tell is no identity. Pure."""

from __future__ import annotations

from typing import NamedTuple

from derctl.core.exchange import Exchange
from derctl.core.text import serial_text
from derctl.core.types import Rating
from derctl.core.value import replace
from derctl.devices import Device, Identity

RATING_TOLERANCE = 0.05
"""Two ratings of one device differ by less (docs/sources.md)."""


class Verdict(NamedTuple):
    """objection: what speaks against it, None where nothing does. by_serial: its serial number is told and right.

    sure: it may be written. Where the site file names a serial number, one that tells none is not.
    """

    objection: str | None
    by_serial: bool = False
    sure: bool = True


def judged(known: Identity | None, expected: str | None, told: Identity) -> Verdict:
    """expected: the serial number in the site file."""
    demanded, said = number(expected or ""), number(told.serial)
    wanted = demanded or ("" if known is None else number(known.serial))
    if wanted and said:
        right = wanted == said
        return Verdict(None if right else f"serial {said!r} answers, {wanted!r} is expected", by_serial=right)
    other = None if known is None else _other(known, told)
    if demanded and other is None:
        met = known is not None and number(known.serial) == demanded
        return Verdict(None if met else f"tells no serial number, {demanded!r} is expected", sure=False)
    return Verdict(other)


def asked(
    whole: Device, known: Identity, rated: Rating | None, expected: str | None
) -> Exchange[tuple[Identity, Verdict]]:
    """Who answers, and whether it is that device. One that doesn't prove it by its serial number is asked for its
    rating too. rated: of the one that is known, where it was found whole."""
    told = yield from whole.identify()
    if judged(known, expected, told).objection is not None:
        told = unchanged(told, (yield from whole.identify()))
    verdict = judged(known, expected, told)
    if verdict.objection is None and verdict.sure and not verdict.by_serial and not whole.lacks:
        verdict = verdict._replace(objection=rates_differ(rated, (yield from whole.rate())))
    return told, verdict


def unchanged(told: Identity, again: Identity) -> Identity:
    """What is told alike twice: rubbish is other rubbish at each look, and nothing is known by it."""
    pairs = {name: (getattr(told, name), getattr(again, name)) for name in ("maker", "model", "serial", "firmware")}
    return Identity(**{name: first if first == second else "" for name, (first, second) in pairs.items()})


def objection(
    device: Device, told: Identity, known: Identity | None, rated: Rating | None, expected: str | None
) -> str | None:
    """What speaks against a device that was found."""
    verdict = judged(known, expected, told)
    if verdict.objection is not None or verdict.by_serial:
        return verdict.objection
    if not verdict.sure:
        return f"tells no serial number now, {expected!r} is expected"
    return None if device.lacks else rates_differ(rated, device.rating)


def number(serial: str) -> str:
    """A serial number; "" for one that says nothing: blank, not printable, or of zeros or marks alone."""
    text = serial_text(serial)
    return text if any(c.isalnum() and c != "0" for c in text) else ""


def _other(known: Identity, told: Identity) -> str | None:
    """By maker and model, as far as both tell them."""
    pairs = ((known.maker, told.maker), (known.model, told.model))
    if all(before == now for before, now in pairs if readable(before) and readable(now)):
        return None
    return f"{told.name} answers, {known.name} is expected"


def rates_differ(known: Rating | None, told: Rating) -> str | None:
    """What speaks against one that tells no serial number by its rating."""
    if known is None:
        return None
    for before, now in ((known.p_max_w, told.p_max_w), (known.p_min_w, told.p_min_w)):
        if abs(before - now) > RATING_TOLERANCE * max(abs(before), abs(now)):
            return f"tells no serial number, and is rated {now:,.0f} W; one with {before:,.0f} W is expected"
    return None


def newer(known: Identity, told: Identity) -> bool:
    """Whether it has other firmware than before, and so maybe another map."""
    both = readable(known.firmware) and readable(told.firmware)
    return both and known.firmware != told.firmware


def merged(known: Identity | None, told: Identity) -> Identity:
    """What is known of it now: what it doesn't tell this time stays as it was."""
    if known is None:
        return told
    words = {name: getattr(known, name) for name in ("maker", "model", "firmware")}
    kept = {name: word for name, word in words.items() if not readable(getattr(told, name))}
    return replace(told, **kept, serial=told.serial if number(told.serial) else known.serial)


def readable(word: str) -> bool:
    """Whether a text of a device says something; what could not be printed of it has become question marks."""
    return bool(word) and "?" not in word
