"""How the C library keeps this process's memory."""

from __future__ import annotations

import ctypes

ARENA_MAX = -8
"""M_ARENA_MAX of mallopt(3)."""


def one_arena() -> None:
    """All threads allocate in the same place, not each in one of its own that stays half empty: they are few, and
    none is in a hurry. Nothing where the C library has no such word."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(ARENA_MAX, 1)
