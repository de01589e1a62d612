"""Powers, durations and names as people type them, in any order."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from derctl.core.dataclass import dataclass
from derctl.store.interval import text_of

_POWER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(k?w)?", re.IGNORECASE | re.ASCII)
_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?:in)?)?(?:(\d+(?:\.\d+)?)s)?", re.ASCII
)
_BEGINNING = re.compile(r"\d{4}(?:-\d{2})?", re.ASCII)
_PARTS_S = (86400.0, 3600.0, 60.0, 1.0)
_COMMA = re.compile(r"[+-]?\d[\d.]*,[\d.,]*(k?w)?", re.IGNORECASE | re.ASCII)


def power_w(text: str) -> float | None:
    """`3000`, `3000W`, `3kW`, `1e3`; None where it is no power."""
    found = _POWER.fullmatch(text)
    if found is None:
        return None
    unit = (found[2] or "w").lower()
    return float(found[1]) * (1000.0 if unit == "kw" else 1.0)


def duration_s(text: str) -> float | None:
    """`90s`, `10m`, `2h`, `1h30m`, `1d`; None where it is no duration."""
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        return None
    return sum(float(part) * unit for part, unit in zip(found.groups(), _PARTS_S, strict=True) if part)


def seconds(text: str) -> float:
    """An argparse type: a duration, or a number of seconds. Raises ArgumentTypeError."""
    found = duration_s(text)
    if found is None:
        try:
            found = float(text)
        except ValueError:
            found = 0.0
    if not 0.0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration, such as 90s, 10m, 2h or 1h30m")
    return found


def moment(text: str) -> str:
    """An argparse type: a time, of which the beginning will do (UTC where no zone stands), or a duration until now;
    as records have it. Raises ArgumentTypeError."""
    ago_s = duration_s(text)
    if ago_s is not None:
        return text_of(time.time() - ago_s)
    try:
        found = datetime.fromisoformat(f"{text}-01-01"[:10] if _BEGINNING.fullmatch(text) else text)
        return text_of((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time, such as 2026-11-21T12:00Z or 2026-11-21, and no duration, such as 6h"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What `limit` was told. der None: the whole site. for_s None: the default."""

    power_w: float
    der: str | None = None
    for_s: float | None = None


def wanted(words: Sequence[str], known: Iterable[str]) -> Wanted:
    """Sort words into power, DER and duration. known: the site's DERs. Raises ArgumentError."""
    ids, powers, times, names = frozenset(known), list[str](), list[str](), list[str]()
    for word in _joined(words):
        fits = ((names, word in ids), (powers, power_w(word) is not None), (times, duration_s(word) is not None))
        kinds = [place for place, yes in fits if yes]
        if len(kinds) > 1:
            raise _wrong(f"{word!r} is the name of a DER, and a power or a duration, too: give it by --der {word}")
        if not kinds and _COMMA.fullmatch(word):
            raise _wrong(f"{word!r}: write a number without commas, such as 3000 or 3.5kW")
        (kinds[0] if kinds else names).append(word)
    strange = [name for name in names if name not in ids]
    if ids and strange and len(names) > 1:
        raise _wrong(f"{strange[0]!r} is no power, no time and no DER; DERs are {', '.join(sorted(ids))}")
    for what, found in (("powers", powers), ("durations", times), ("DERs", names)):
        if len(found) > 1:
            raise _wrong(f"{len(found)} {what}: {' and '.join(found)}; give one")
    if not powers:
        raise _wrong("how much? Give a power, such as 3000 or 3kW")
    power, time = power_w(powers[0]), duration_s(times[0]) if times else None
    if time == 0.0:
        raise _wrong(f"{times[0]!r} is no time")
    assert power is not None
    return Wanted(power_w=power, der=names[0] if names else None, for_s=time)


def _joined(words: Sequence[str]) -> list[str]:
    """`3 kW` is one word."""
    found: list[str] = []
    for word in words:
        if word.lower() in {"w", "kw"} and found and power_w(found[-1]) is not None:
            found[-1] += word
        else:
            found.append(word)
    return found


def _wrong(text: str) -> argparse.ArgumentError:
    return argparse.ArgumentError(None, text)
