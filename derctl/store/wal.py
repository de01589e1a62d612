"""Whether SQLite's write-ahead log was changed before its last commit: SQLite itself drops what stands behind it, and
says nothing. Pure (sqlite.org/fileformat2.html, 4: the format of the log)."""

from __future__ import annotations

import struct

from derctl.core.dataclass import dataclass

HEADER, FRAME = struct.Struct(">8I"), struct.Struct(">6I")
MAGIC = (0x377F0682, 0x377F0683)
"""Its checksums are of little-endian words, or of big-endian ones."""
MASK = 0xFFFFFFFF
PAGE = 4096
"""Bytes of a page, SQLite's default: of each file that derctl makes."""

Sum = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """commits: it is the last one of a commit. ours: of this round of the log; one before had other salts,
    both of them. good: by its sum."""

    commits: bool
    ours: bool
    good: bool


def lost(log: bytes) -> int:
    """How many commits can't be read though the log goes on behind them. A power cut tears the last one only: each
    is on the card before the next begins. 0: none, or it is no such log."""
    frames = _frames(log)
    broken = next((at for at, frame in enumerate(frames) if not frame.good), len(frames))
    behind = [at for at, frame in enumerate(frames) if at >= broken and frame.ours]
    return sum(frames[at].commits for at in behind if at < behind[-1])


def _frames(log: bytes) -> list[Frame]:
    if len(log) < HEADER.size:
        return []
    magic, _, _, _, *salts, first, second = HEADER.unpack_from(log)
    order = "<" if magic == MAGIC[0] else ">"
    so_far = _summed((0, 0), log[: HEADER.size - 8], order)
    good = so_far == (first, second) and magic in MAGIC
    found, size = list[Frame](), FRAME.size + PAGE
    for at in range(HEADER.size, len(log) - size + 1, size):
        _, commits, *said, first, second = FRAME.unpack_from(log, at)
        if good:
            so_far = _summed(so_far, log[at : at + 8] + log[at + FRAME.size : at + size], order)
            good = said == salts and so_far == (first, second)
        ours = any(a == b for a, b in zip(said, salts, strict=True))
        found.append(Frame(commits=commits != 0, ours=ours, good=good))
    return found


def _summed(so_far: Sum, content: bytes, order: str) -> Sum:
    """The checksum, of words in pairs."""
    first, second = so_far
    words = struct.unpack(f"{order}{len(content) // 4}I", content)
    for a, b in zip(words[::2], words[1::2], strict=True):
        first = (first + a + second) & MASK
        second = (second + b + first) & MASK
    return first, second
