"""A capture of the running daemon for whoever is to help: a file in state_dir, bounded, and without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from derctl.core.dataclass import dataclass
from derctl.core.types import Tick

FILE = "capture.json"
"""In state_dir; the next one takes its place."""
BYTES_MAX = 1_000_000
"""Of the file."""
LEFT_OUT = "(left out)"
SECRET = re.compile(r"passw|secret|token|username|(^|_)keys?($|_)|cert|ca_file|^public$", re.IGNORECASE)
"""Names whose values nobody else needs to see, wherever they stand."""
WHOSE = re.compile(r"(?<=://)[^/@\s]+@")
"""Name and password in an address."""
PEM = "-----BEGIN"

Plain = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """ticks: how many are in it, of so many that there were."""

    content: bytes
    ticks: int
    of: int

    @property
    def digest(self) -> str:
        return sha256(self.content).hexdigest()


def without_secrets(value: Plain, secret: str | None = None) -> Plain:
    """The same, with words in the place of what must not be shown. secret: a text that is none of anybody's business,
    wherever it stands."""
    if isinstance(value, Mapping):
        return {
            str(key): LEFT_OUT
            if SECRET.search(str(key)) and each not in (None, [], {})
            else without_secrets(each, secret)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(each, secret) for each in value]
    if not isinstance(value, str):
        return value
    if PEM in value:
        return LEFT_OUT
    shown = WHOSE.sub(f"{LEFT_OUT}@", value)
    return shown.replace(secret, LEFT_OUT) if secret else shown


def captured(
    head: Mapping[str, Plain],
    parts: Mapping[str, Plain],
    ticks: Sequence[Tick],
    secret: str | None = None,
    most: int = BYTES_MAX,
) -> Captured:
    """head: who and when. parts: what is shown without its secrets; one that is too large says so. ticks: oldest
    first; as many of the newest as there is room for, each as `record` gives it."""
    shown: dict[str, Plain] = dict(head)
    for name, part in parts.items():
        text = json.dumps(without_secrets(part, secret), separators=(",", ":"))
        shown[name] = msgspec.Raw(text.encode()) if len(text) <= most // 3 else f"left out: {len(text)} bytes"
    begin = msgspec.json.encode(shown)[:-1] + b',"ticks":['
    room, kept = most - len(begin) - 2, list[bytes]()
    for tick in reversed(ticks):
        encoded = msgspec.json.encode(tick)
        if len(encoded) + 1 > room:
            break
        kept.append(encoded)
        room -= len(encoded) + 1
    return Captured(content=begin + b",".join(reversed(kept)) + b"]}", ticks=len(kept), of=len(ticks))
