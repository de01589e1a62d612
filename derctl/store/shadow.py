"""What derctl would have done while it only looked: one sealed line for each stretch of time, in two files at most.

A kill loses the stretch that was under way and nothing else; a line that is torn or flipped is left out, and counted.
"""

from __future__ import annotations

import msgspec

from derctl.core.dataclass import dataclass
from derctl.store.folder import Folder
from derctl.store.sealed import opened, sealed

VERSION = 1
FILE, OLD = "shadow.log", "shadow.old"
MOST_BYTES = 2_097_152
"""Of each of the two files: about a week of a house with four DERs in either (docs/sources.md)."""


class DerPart(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One DER. heard_s: it was fresh and its power known. gave_wh, drew_wh: as measured. stored: a battery is behind
    it.

    held: by whom it would have been held below what it gave, s and Wh. aimed: by whom it would have been told another
    power, s, Wh more and Wh less. var: by whom it would have been told var, s and varh beside what was measured.

    writes: setpoints that would have been written. a_day: how many its memory bears, None: not counted. own: what
    of the site file's functions it runs itself, s; untold: those of which it can't be read back, s. foreign: how
    often what stands in it changed though derctl wrote nothing. stood_s: somebody's limit stood in it, of stood_w.
    """

    heard_s: float = 0.0
    gave_wh: float = 0.0
    drew_wh: float = 0.0
    stored: bool = False
    held: dict[str, tuple[float, float]] = {}
    aimed: dict[str, tuple[float, float, float]] = {}
    var: dict[str, tuple[float, float]] = {}
    writes: int = 0
    a_day: int | None = None
    own: dict[str, float] = {}
    untold: dict[str, float] = {}
    foreign: int = 0
    stood_s: float = 0.0
    stood_w: float | None = None


class SitePart(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The point of connection. belief: what the meter was believed to be, s. limit_w: of the agreement, None: none.

    over_s, over_wh: above the limit; overs: how often that began; most_w: the most above it, most_at: when, wall
    time. kept_wh: of over_wh, what the DERs would have been held back by then; lag_s: so long at the begin of
    each nothing counts as that. needed_wh: what was above the limit less its margin. above: went on at the end.
    """

    limit_w: float | None = None
    heard_s: float = 0.0
    out_wh: float = 0.0
    in_wh: float = 0.0
    over_s: float = 0.0
    over_wh: float = 0.0
    overs: int = 0
    most_w: float = 0.0
    most_at: float = 0.0
    kept_wh: float = 0.0
    lag_s: float = 0.0
    needed_wh: float = 0.0
    above: bool = False
    belief: dict[str, float] = {}


class Stretch(msgspec.Struct, kw_only=True, omit_defaults=True):
    """run: of which start of the daemon, n: the how manieth of it. began, ended: wall time, s since 1970; synced:
    whether that could be believed. seconds: monotonic.

    after: what went before it in this run, "": the stretch before, or nothing; away_s: for how long. last: the daemon
    ended with it. margins: by loop and DER the least margin from hunting. events: how often each was told, by name
    and DER.
    """

    run: str
    n: int
    began: float
    ended: float
    version: int = VERSION
    synced: bool = False
    seconds: float = 0.0
    after: str = ""
    away_s: float = 0.0
    last: bool = False
    site: SitePart | None = None
    ders: dict[str, DerPart] = {}
    margins: dict[str, float] = {}
    events: dict[str, int] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """stretches: oldest first. torn: lines that could not be used."""

    stretches: tuple[Stretch, ...] = ()
    torn: int = 0


async def add(folder: Folder, stretch: Stretch) -> None:
    """To the end of the record, on disk when it returns. Raises OSError."""
    await folder.append(FILE, OLD, sealed(msgspec.json.encode(stretch)), MOST_BYTES)


def load(folder: Folder) -> Kept:
    """All that is there. Raises OSError; ValueError where it is no file."""
    found, torn = list[Stretch](), 0
    for name in (OLD, FILE):
        for line in (folder.read(name) or b"").splitlines():
            stretch = _stretch(line)
            if stretch is not None:
                found.append(stretch)
            torn += stretch is None and bool(line)
    return Kept(stretches=tuple(found), torn=torn)


def _stretch(line: bytes) -> Stretch | None:
    try:
        content = opened(line)
        stretch = None if content is None else msgspec.json.decode(content, type=Stretch)
    except (ValueError, RecursionError):
        return None
    return stretch if stretch is not None and stretch.version == VERSION else None
