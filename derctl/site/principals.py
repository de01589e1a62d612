"""Who may command over MQTT, and what: what a site file says of that which can't be meant."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime

from derctl.core.requests import LOCAL
from derctl.site.convert import named
from derctl.site.schema import PrincipalSection, SiteFile

PRINCIPALS_MAX = 32
"""Each may fill a queue of its own, and has its ids remembered."""


def principals(site: SiteFile) -> Iterator[tuple[str, str]]:
    """Path and message of what is surely wrong with them."""
    names = [] if site.mqtt is None else [each.name for each in site.mqtt.principals]
    if len(names) > PRINCIPALS_MAX:
        yield "mqtt.principals", f"{len(names)} principals, more than {PRINCIPALS_MAX}: let people share a name"
    for i, name in enumerate(names):
        if name in names[:i]:
            yield f"mqtt.principals[{i}].name", f"{name!r} is mqtt.principals[{names.index(name)}] already"
        if name == LOCAL:
            yield f"mqtt.principals[{i}].name", f"{LOCAL!r} is who comes over the socket: choose another name"

    ders = [each.id for each in site.ders]
    for i, each in enumerate([] if site.mqtt is None else site.mqtt.principals):
        for path, text in (*_bounds(each, ders), *_keys(each)):
            yield f"mqtt.principals[{i}].{path}", text


def _bounds(principal: PrincipalSection, ders: Sequence[str]) -> Iterator[tuple[str, str]]:
    """For which DERs, and between what."""
    for n, der in enumerate(principal.ders or ()):
        if der not in ders and named(ders):
            yield f"ders[{n}]", f"no DER {der!r}; known are {', '.join(ders)}"
    for name, (low, high) in principal.ranges.items():
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            yield f"ranges.{name}", f"{low:.10g} to {high:.10g} is no range: write the least first, such as [0, 5000]"


def _keys(principal: PrincipalSection) -> Iterator[tuple[str, str]]:
    """Each has a name of its own, and a time in which it counts."""
    names = [key.id for key in principal.keys]
    for n, key in enumerate(principal.keys):
        if key.id in names[:n]:
            yield f"keys[{n}].id", f"{key.id!r} is keys[{names.index(key.id)}] already"
        moments = {"not_before": moment(key.not_before), "not_after": moment(key.not_after)}
        for name, found in moments.items():
            if getattr(key, name) is not None and found is None:
                yield f"keys[{n}].{name}", 'no time with a zone: write one in quotes, "2026-11-21T12:00:00Z"'
        first, last = moments.values()
        if first is not None and last is not None and first >= last:
            yield f"keys[{n}].not_after", "it ends before it begins"


def moment(text: str | None) -> datetime | None:
    """A time with its zone; None for what is none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
