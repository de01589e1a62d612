"""What must survive a restart, with a version: an older one is migrated, and one that can't be used disarms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from derctl.core.text import error_text
from derctl.core.words import Mode
from derctl.store.answered import ANYBODY, Answered
from derctl.store.folder import Folder
from derctl.store.journal import Book, Journal, Left
from derctl.store.sealed import copy_of, first_good

VERSION = 5
SEALED = 4
"""The first version that has a checksum."""
FILE = "state.json"

Raw = dict[str, Any]


class ArmWord(msgspec.Struct, kw_only=True, frozen=True):
    """An operator's word to arm or to disarm. by: who said it. since: wall time as text. mode: the site file's then;
    None: not known."""

    armed: bool
    by: str
    since: str
    mode: Mode | None = None


class Surviving(msgspec.Struct, kw_only=True):
    """saved: wall time. synced: whether that could be believed; None: an older version's.

    word: the operator's last, None: the site file's mode counts.

    requests: as daemon/requests writes them. memories: by memory key, as functions/survival writes them.

    found: what stood in the devices, by DER id, as daemon/standings writes it; None: an older version noted nothing.

    seen: by principal the ids of commands that were answered.
    proven_meter: serial and sign of the meter that was seen to follow the inverters.
    known: by DER id who was ever found, as daemon/known writes them.
    agreed: what control began under, None: it has not.
    wear: by DER id how often each register was written, as daemon/actuate/ledger writes it.
    rests: by DER id what was learned of how it stands by, as daemon/actuate/learned writes it.
    stories: of commands that have not ended, as daemon/commands/story writes them.
    waiting: those that wait for the clock, as daemon/commands/waiting writes them.
    """

    version: int = VERSION
    saved: float = 0.0
    synced: bool | None = None
    word: ArmWord | None = None
    requests: list[Raw] = []
    memories: Raw = {}
    found: Raw | None = {}
    seen: dict[str, Answered] = {}
    proven_meter: str | None = None
    known: Raw = {}
    agreed: str | None = None
    wear: Raw = {}
    rests: Raw = {}
    stories: list[Raw] = []
    waiting: list[Raw] = []


UNKNOWN = ArmWord(armed=False, by="state_unreadable", since="")
"""Of a state that is not known: nobody can tell whether there was a disarm."""


def load(folder: Folder) -> tuple[Surviving, str | None]:
    """What was saved, and what was wrong with it: then its copy counts, or else nothing but a disarm."""
    try:
        found, problem = first_good(folder.read, FILE, _parsed)
    except (OSError, ValueError) as error:
        aside = folder.set_aside(FILE)
        return Surviving(word=UNKNOWN), f"{folder.path / FILE}: {error_text(error)}; disarmed{aside}"
    if found is None:
        return _without(folder)
    if problem is not None:
        problem = f"{folder.path / FILE}: {problem}{folder.set_aside(FILE)}"
    return found, problem


def _without(folder: Folder) -> tuple[Surviving, str | None]:
    """There is no file: a first start, unless a journal tells of one before. The state is saved before anything is
    written to a device, so it was there."""
    if not any(_tells(book(folder)) for book in (Journal, Left)):
        return Surviving(), None
    text = "there is none, and derctl wrote to devices before; disarmed"
    return Surviving(word=UNKNOWN), f"{folder.path / FILE}: {text}"


def wrote_never(folder: Folder) -> bool:
    """Whether a state that is whole says that control never began, and nothing is there that tells of a write. Where
    there is no state, nobody knows."""
    try:
        if any(not folder.lacks(each) for book in (Journal, Left) for each in (book.file, copy_of(book.file))):
            return False
        found, problem = first_good(folder.read, FILE, _parsed)
    except (OSError, ValueError):
        return False
    if found is None or problem is not None:
        return False
    return (found.word, found.agreed, found.wear, found.rests) == (None, None, {}, {})


def _tells(journal: Book) -> bool:
    """Whether something was written, as far as is known."""
    try:
        journal.load()
    except (OSError, ValueError):
        return True
    return bool(journal.entries)


def _parsed(content: bytes, checked: bool) -> Surviving:
    """checked: it had a checksum."""
    raw = msgspec.json.decode(content)
    version = raw.get("version") if isinstance(raw, dict) else None
    if not checked and isinstance(version, int) and version >= SEALED:
        raise ValueError("it has no checksum")
    return msgspec.convert(migrated(raw), Surviving)


async def save(folder: Folder, state: Surviving) -> None:
    """Raises OSError (a full or read-only disk)."""
    await folder.replace(FILE, msgspec.json.encode(state))


def migrated(raw: object) -> Raw:
    """The same content in today's version. Raises ValueError for a version that isn't known."""
    if not isinstance(raw, dict):
        raise ValueError(f"expected an object, got {type(raw).__name__}")
    version = raw.get("version")
    while version != VERSION:
        step = MIGRATIONS.get(version) if isinstance(version, int) else None
        if step is None:
            raise ValueError(f"version {version!r} is not known here; {VERSION} is the newest")
        raw = step(raw)
        version = raw["version"]
    return raw


def _from_1(raw: Raw) -> Raw:
    """0.1: requests in watts alone, a bare yes or no for armed, droop's memory by itself."""
    armed = raw.get("armed")
    if armed is not None and not isinstance(armed, bool):
        raise ValueError(f"armed is {armed!r}, not true, false or null")
    since = datetime.fromtimestamp(float(raw.get("saved", 0.0)), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {
        "version": 2,
        "saved": raw.get("saved", 0.0),
        "word": None if armed is None else {"armed": armed, "by": "operator", "since": since},
        "requests": [_request_from_1(each) for each in raw.get("requests", [])],
        "memories": dict(raw.get("droop", {})),
        "seen": raw.get("seen", {}),
        "proven_meter": raw.get("proven_meter"),
    }


def _request_from_1(old: Raw) -> Raw:
    value = "p_target_w" if old["kind"] == "set_battery_power" else "p_ceiling_w"
    same = {name: old[name] for name in ("kind", "id", "der")}
    return same | {"by": "operator", value: old["value_w"], "remaining_s": old["left_s"], "ends": old.get("ends")}


def _from_2(raw: Raw) -> Raw:
    """0.1: an operator's word without the site file's mode, nothing of limits that were found in devices."""
    return {**raw, "version": 3, "found": None}


def _from_3(raw: Raw) -> Raw:
    """Before the checksum."""
    return {**raw, "version": 4}


def _from_4(raw: Raw) -> Raw:
    """Ids with their end, of whoever sent them. When they were issued is not known, and not asked any more."""
    ids = {command_id: (ends, ends) for command_id, ends in raw.get("seen", {}).items()}
    return {**raw, "version": 5, "seen": {ANYBODY: {"ids": ids}} if ids else {}}


MIGRATIONS: dict[int, Callable[[Raw], Raw]] = {1: _from_1, 2: _from_2, 3: _from_3, 4: _from_4}
"""From a version to the next one."""
