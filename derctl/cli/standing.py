"""What a release left behind: each DER's result, and the limit that stands in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from derctl.cli.holding import SILENT, accepted
from derctl.cli.plain import watts
from derctl.core.text import clean

WORDS = {
    "released": "released",
    "unreachable": "can't be reached; what was written stands until its own timer ends it, where it has one",
    "refused": "refuses to be released",
    "not_in_file": "not in the site file any more, and not touched",
}
"""core.words.Released for people."""
LIFT = "`derctl release --lift` raises it to the fallback"
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


def standing(found: Mapping[str, Any], ders: Mapping[str, Any]) -> list[str]:
    """A line for each DER: what became of its release, and what stands in it. ders: of `status`, if there is one."""
    lines, limited = [], False
    for name in [*found, *(name for name in ders if name not in found)]:
        text = _became(found[name]) if name in found else "derctl has written nothing"
        left = _left(found.get(name), ders.get(name))
        limited = limited or (left is not None and left.startswith("a limit"))
        lines.append(f"{name}: {text}" + (f"; {left} stands" if left is not None else ""))
    return [*lines, LIFT] if limited else lines


def _became(result: Any) -> str:
    word = word_of(result)
    text = clean(result.get("text") or "") if isinstance(result, Mapping) else ""
    told = clean(WORDS.get(word, word))
    return told if not text or text == word else f"{told}: {text}"


def _left(result: Any, der: Mapping[str, Any] | None) -> str | None:
    """`a limit of 2,000 W`, as the release found it, or as the device reads back; None where there is none."""
    if isinstance(result, Mapping) and result.get("stands_w") is not None:
        return f"a limit of {watts(result['stands_w'])}"
    if der is None or der["state"] in SILENT:
        return None
    text = accepted(dict(der))
    return None if text == "no limit" else text
