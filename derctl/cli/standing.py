"""What a release left behind: each DER's result, and the limit that stands in it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from derctl.cli.holding import NEAR_W, SILENT, accepted, parts_of
from derctl.cli.plain import STATES, watts
from derctl.core.text import clean
from derctl.core.words import Record, Released, Seen
from derctl.daemon.actuate.standing import Standing

WORDS = {
    "released": "released",
    "unreachable": "can't be reached; what was written stands until its own timer ends it, where it has one",
    "refused": "refuses to be released",
    "waits": "waits: it would give more while another DER is lost; its own timer ends what was written",
    "not_in_file": "not in the site file any more, and not touched",
    "not_written": "nothing to give back",
}
"""core.words.Released for people."""
LIFT = "`derctl release --lift` raises it to the fallback"
ROUNDED_PU = 0.005
"""A device that counts in tenths of a percent of its rating holds a little less than it was told."""
READ_AGAIN = 2
"""Ticks after which what a device reads back is from after the release."""
READ_AGAIN_S = 5.0
NOTHING = "nothing to release: derctl has written nothing that it has not given back"
NO_RECORD = (
    "the record of what derctl wrote is not whole (written.json or standing.json is missing, or can't be read): "
    "known is what the devices tell"
)
NOT_RUN = "derctl has not run with this state_dir: known is what the devices tell"
NEVER = "nothing to release: derctl has never written anything here"

_NAMED = re.compile(r"(?:^|, )([a-z0-9][a-z0-9_-]*): ")
_STANDS = re.compile(r"; (nothing stands|what stands is not known|[^;]* stands( as written, .*| when .*)?)$")


def results(said: Any) -> dict[str, Any]:
    """DER to result, from a reply that is a mapping or one line of `DER: word; what stands, DER: word`."""
    if isinstance(said, Mapping):
        return dict(said)
    parts = _NAMED.split(str(said))
    return {name: _STANDS.sub("", word) for name, word in zip(parts[1::2], parts[2::2], strict=True)}


def word_of(result: Any) -> str:
    """`released`, ...; of a plain reply, the reply."""
    return str(result["result"]) if isinstance(result, Mapping) else str(result)


def all_released(found: Mapping[str, Any], *, ran: bool = True) -> bool:
    """Whether nothing is left to do. ran: derctl has run here before."""
    return all(word_of(result) == "released" or _not_ours(result, ran=ran) for result in found.values())


def _not_ours(result: Any, *, ran: bool) -> bool:
    """Whether derctl did not write it, as far as can be told."""
    given = result.get("standing") if isinstance(result, Mapping) else None
    return word_of(result) == "not_written" and not (given and waits(given, None, ran=ran))


def _standing(given: Mapping[str, Any]) -> Standing:
    """As `status` and `release` have it."""
    return Standing(
        p_ceiling_w=given["p_ceiling_w"],
        p_target_w=given["p_target_w"],
        q_var=given["q_var"],
        seen=Seen(given["seen"]),
        record=Record(given["record"]),
    )


def waits(given: Mapping[str, Any], fallback_w: float | None, *, ran: bool) -> bool:
    """Whether something may be to give back in a DER of which no record is there. ran: derctl has run here before."""
    each = _standing(given)
    unknown = ran and each.seen is not Seen.READ_BACK
    return each.record is Record.MISSING and (unknown or each.held_back(fallback_w))


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
        most_w, theirs = known.get(name), _theirs(limit_w, ders.get(name))
        if name in found and limit_w is not None and not theirs and not _not_ours(found[name], ran=True):
            below = below or most_w is None or limit_w < most_w - max(NEAR_W, ROUNDED_PU * most_w)
        after = f", as it was found: `derctl clear {name} --found` lifts it" if theirs else ""
        lines.append(f"{name}: {text}" + (f"; {left}{after}" if left is not None else ""))
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
    *,
    lacking: str | None = None,
) -> list[str]:
    """Before a release: a line for each DER, what derctl has in it, and what stands there.

    entries: of the journal; lacking: why there is none, None: there is one. left: what earlier releases left. state:
    of `status`, or without a daemon the `ders` of it with what they read back, and no `mode`.
    """
    ders = {} if state is None else state["ders"]
    found = {name: _before(each, ders.get(name)) for name, each in left.items()}
    found |= {name: _written(each, ders.get(name)) for name, each in entries.items()}
    lines = standing({name: found[name] for name in [*entries, *left]}, ders, fallbacks)
    if not entries:
        lines.insert(0, lacking or NOTHING)
    if state is not None and state.get("mode") is not None:
        lines.insert(0, "derctl is in control" if state["mode"] == "control" else "derctl observes")
    return lines


def _before(entry: Any, der: Mapping[str, Any] | None) -> str:
    stands_w = entry.get("stands_w") if isinstance(entry, Mapping) else None
    known = der is not None and der["state"] not in SILENT
    stood = f"; a limit of {watts(stands_w)} stood then" if stands_w is not None and not known else ""
    return f"released before{stood}"


def _written(entry: Mapping[str, Any], der: Mapping[str, Any] | None) -> str:
    text = f"written since {entry.get('since') or 'an unknown time'}, not given back"
    if der is None:
        return f"{text}; no daemon answers, so what stands is not known"
    return f"{text}; {STATES[der['state']]}, so what stands is not known" if der["state"] in SILENT else text


def _untouched(der: Mapping[str, Any]) -> str:
    missing = (der.get("standing") or {}).get("record") == Record.MISSING
    text = "no record of what derctl wrote" if missing else "nothing to give back"
    return f"{text}; {STATES[der['state']]}, so what stands is not known" if der["state"] in SILENT else text


def _became(result: Any) -> str:
    word = word_of(result)
    text = clean(result.get("text") or "") if isinstance(result, Mapping) else ""
    told = clean(WORDS.get(word, word))
    if isinstance(result, Mapping) and (result.get("standing") or {}).get("record") == Record.MISSING:
        told = "no record of what derctl wrote" if word == Released.NOT_WRITTEN else told
    if text.startswith((told, f"{word}: ")):
        return text
    return told if not text or text == word or told.startswith(text) else f"{told}: {text}"


def _theirs(limit_w: float | None, der: Mapping[str, Any] | None) -> bool:
    """Whether the limit that stands is the one that was found in it, which no release lifts."""
    found = None if der is None else der.get("found")
    if limit_w is None or not found or found["lifted"]:
        return False
    return bool(limit_w >= found["limit_w"] - NEAR_W)


def _left(result: Any, der: Mapping[str, Any] | None) -> tuple[float | None, str | None]:
    """The limit that stands, and in words all that does, as the device reads back or as the release found it; None:
    nothing."""
    heard = der is not None and der["state"] not in SILENT
    if der is not None and heard and der.get("standing"):
        return der["standing"]["p_ceiling_w"], stands(der["standing"])
    if der is not None and heard and (text := accepted(dict(der))) is not None:
        limited = text.startswith("a limit")
        limit_w = der["outcome"]["accepted"]["p_ceiling_w"] if limited else None
        return limit_w, None if text == "no limit" else f"{text} stands"
    if isinstance(result, Mapping) and result.get("standing"):
        given, stood_w = result["standing"], result.get("stands_w")
        if given["seen"] == Seen.NOT_KNOWN and stood_w is not None:
            return stood_w, f"a limit of {watts(stood_w)} stood then, and what stands is not known"
        return given["p_ceiling_w"], stands(given)
    if isinstance(result, Mapping) and result.get("stands_w") is not None:
        return result["stands_w"], f"a limit of {watts(result['stands_w'])} stands"
    return None, None


def stands(given: Mapping[str, Any]) -> str | None:
    """What stands in a DER, in words; None: nothing."""
    told = parts_of(dict(given))
    if not told:
        return "what stands is not known" if given["seen"] in {Seen.NOT_KNOWN, Seen.OLD} else None
    how = {Seen.AS_WRITTEN: " (as it was written: it does not tell)", Seen.OLD: " (as it was read last)"}
    return f"{told} stands{how.get(given['seen'], '')}"
