"""How often registers that wear out were written: a file of its own, on disk before they are, however they are."""

from __future__ import annotations

from typing import Any

import msgspec

from derctl.core.text import error_text
from derctl.store.folder import Folder
from derctl.store.sealed import first_good

VERSION = 1
FILE = "worn.json"


class Worn(msgspec.Struct, kw_only=True):
    """saved: wall time. synced: whether that could be believed. wear: as daemon/actuate/ledger writes it."""

    version: int = VERSION
    saved: float = 0.0
    synced: bool = False
    wear: dict[str, Any] = {}


def load(folder: Folder) -> tuple[Worn, str | None]:
    """What was saved, nothing where there is none; and what was wrong with it."""
    try:
        found, problem = first_good(folder.read, FILE, _parsed)
    except (OSError, ValueError) as error:
        return Worn(), f"{folder.path / FILE}: {error_text(error)}{folder.set_aside(FILE)}"
    return found or Worn(), problem


def _parsed(content: bytes, checked: bool) -> Worn:
    found = msgspec.json.decode(content, type=Worn)
    if found.version != VERSION:
        raise ValueError(f"version {found.version!r} is not known here; {VERSION} is the newest")
    return found


async def save(folder: Folder, worn: Worn) -> None:
    """Raises OSError (a full or read-only disk)."""
    await folder.replace(FILE, msgspec.json.encode(worn))
