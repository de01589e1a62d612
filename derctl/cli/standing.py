"""What a release left behind: each DER's result, and the limit that stands in it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from derctl.cli.holding import NEAR_W, SILENT, accepted
from derctl.cli.plain import STATES, watts
from derctl.core.text import clean

WORDS = {
    "released": "released",
    "unreachable": "can't be reached; what was written stands until its own timer ends it, where it has one",
    "refused": "refuses to be released",
    "waits": "waits: it would give more while another DER is lost; its own timer ends what was written",
    "not_in_file": "not in the site file any more, and not touched",
}
"""core.words.Released for people."""
LIFT = "`derctl release --lift` raises it to the fallback"
READ_AGAIN = 2
"""Ticks after which what a device reads back is from after the release."""
READ_AGAIN_S = 5.0
NOTHING = "nothing to release: derctl has written nothing that it has not given back"
_NAMED = re.compile(r"(?:^|, )([a-z0-9][a-z0-9_-]*): ")


def results(said: Any) -> dict[str, Any]:
    """DER to result, from a reply that is a mapping or one line of `DER: word, DER: word`."""
    if isinstance(said, Mapping):
        return dict(said)
    parts = _NAMED.split(str(said))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def word_of(result: Any) -> str:
    """`released`, ...; of a plain reply, the reply."""
    return str(result["result"]) if isinstance(result, Mapping) else str(result)


def all_released(found: Mapping[str, Any]) -> bool:
    """Whether nothing is left to do."""
    return all(word_of(result) == "released" for result in found.values())


def standing(
    found: Mapping[str, Any], ders: Mapping[str, Any], fallbacks: Mapping[str, float | None] | None = None
) -> list[str]:
    """A line for each DER: what became of its release, and what stands in it; at last what raises a limit.

    ders: of `status`, if there is one. fallbacks: each DER's p_ceiling_w; None: its full rating.
    """
    known = fallbacks or {name: der["fallback"]["p_ceiling_w"] for name, der in ders.items()}
    lines, below = [], False
    for name in [*found, *(name for name in ders if name not in found)]:
        text = _became(found[name]) if name in found else _untouched(ders[name])
        limit_w, left = _left(found.get(name), ders.get(name))
        most_w = known.get(name)
        if name in found and limit_w is not None:
            below = below or most_w is None or limit_w < most_w - NEAR_W
        lines.append(f"{name}: {text}" + (f"; {left} stands" if left is not None else ""))
    return [*lines, LIFT] if below else lines


def settled(status: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The state once the devices were read again after a release, or as it is when that takes too long."""
    state = status()
    goal, ends_s = state["loop"]["ticks"] + READ_AGAIN, time.monotonic() + READ_AGAIN_S
    while state["loop"]["ticks"] < goal and time.monotonic() < ends_s:
        time.sleep(0.1)
        state = status()
    return state


def kept(
    entries: Mapping[str, Any],
    left: Mapping[str, Any],
    state: Mapping[str, Any] | None,
    fallbacks: Mapping[str, float | None],
) -> list[str]:
    """Before a release: a line for each DER, what derctl has in it, and what stands there.

    entries: of the journal. left: what earlier releases left. state: of `status`; None: no daemon answers, so nobody
    knows what stands.
    """
    ders = {} if state is None else state["ders"]
    found = {name: _before(each["stands_w"], ders.get(name)) for name, each in left.items()}
    found |= {name: _written(each, ders.get(name)) for name, each in entries.items()}
    lines = standing({name: found[name] for name in [*entries, *left]}, ders, fallbacks)
    if not entries:
        lines.insert(0, NOTHING)
    if state is not None:
        lines.insert(0, "derctl is in control" if state["mode"] == "control" else "derctl observes")
    return lines


def _before(stands_w: float, der: Mapping[str, Any] | None) -> str:
    known = der is not None and der["state"] not in SILENT
    return "released before" if known else f"released before; a limit of {watts(stands_w)} stood then"


def _written(entry: Mapping[str, Any], der: Mapping[str, Any] | None) -> str:
    text = f"written since {entry.get('since', 'an unknown time')}, not given back"
    if der is None:
        return f"{text}; no daemon answers, so what stands is not known"
    return f"{text}; {STATES[der['state']]}, so what stands is not known" if der["state"] in SILENT else text


def _untouched(der: Mapping[str, Any]) -> str:
    text = "nothing to give back"
    return f"{text}; {STATES[der['state']]}, so what stands is not known" if der["state"] in SILENT else text


def _became(result: Any) -> str:
    word = word_of(result)
    text = clean(result.get("text") or "") if isinstance(result, Mapping) else ""
    told = clean(WORDS.get(word, word))
    if text.startswith(told):
        return text
    return told if not text or text == word or told.startswith(text) else f"{told}: {text}"


def _left(result: Any, der: Mapping[str, Any] | None) -> tuple[float | None, str | None]:
    """The limit as the device reads back, or as the release found it, and in words what stands; None: nothing."""
    if der is not None and der["state"] not in SILENT and (text := accepted(dict(der))) is not None:
        limited = text.startswith("a limit")
        return der["outcome"]["accepted"]["p_ceiling_w"] if limited else None, None if text == "no limit" else text
    if isinstance(result, Mapping) and result.get("stands_w") is not None:
        return result["stands_w"], f"a limit of {watts(result['stands_w'])}"
    return None, None
