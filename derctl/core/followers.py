"""Somebody else who follows the same meter: it shows our step, and then loses it again, whatever the coin.

A surplus charger or another's battery answers a dip with less charging after a while. A dead meter never shows it.
"""

from __future__ import annotations

from derctl.core.doublet import Doublet
from derctl.core.evidence import Contradiction
from derctl.core.value import replace, value
from derctl.core.words import Doubt

SHOWN_LEAST = 0.5
"""A step of which less is left at its end was taken back."""
FOLLOWED = 3
"""So many steps that were shown and taken back, less those that stayed, are somebody who follows."""
FOLLOWED_MOST = 5
"""More of them add nothing, so it is seen when he is gone."""


@value
class Memory:
    """followed: steps that were shown and taken back, less those that stayed; never below 0. late_s: how late the
    last was shown. step_w, left_w: of the last that was taken back."""

    followed: int = 0
    step_w: float = 0.0
    left_w: float = 0.0


START = Memory()


def step(memory: Memory, before: Doublet | None, now: Doublet | None, dt_s: float) -> Memory:
    """One tick on. before, now: the doublet of the belief, one tick ago and now."""
    if before is None or not before.coded or (now is not None and now.at_s > before.at_s):
        return memory
    first, second = before.first, before.second
    if before.at_s + dt_s < 2.0 * before.half_s or not (first.poc_n and second.poc_n):
        return memory
    left_w = before.coin * (second.poc_w / second.poc_n - first.poc_w / first.poc_n)
    if left_w >= SHOWN_LEAST * before.step_w:
        return memory if memory.followed == 0 else replace(memory, followed=memory.followed - 1)
    if before.seen_s is None:
        return memory
    return Memory(followed=min(memory.followed + 1, FOLLOWED_MOST), step_w=before.step_w, left_w=left_w)


def suspicion(memory: Memory) -> Contradiction | None:
    """That there is somebody, with the numbers of the last time."""
    if memory.followed < FOLLOWED:
        return None
    text = (
        f"the meter showed steps of {round(memory.step_w):,} W and lost them again ({round(memory.left_w):,} W were"
        " left): does a charger or another's battery follow it too? Then name it in poc.followers"
    )
    return Contradiction(by=Doubt.FOLLOWER_SUSPECTED, text=text)
