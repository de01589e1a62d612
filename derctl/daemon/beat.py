"""How the ticks keep their time: a grid, on which those that are already gone are counted and never made up for."""

from __future__ import annotations

from derctl.core.value import value


@value
class Beat:
    """missed: points of the grid on which no tick began. overran: ticks that took longer than one.

    last_s, worst_s: how long the last tick took, and the longest.
    """

    missed: int = 0
    overran: int = 0
    last_s: float = 0.0
    worst_s: float = 0.0


def ended(beat: Beat, due_s: float, began_s: float, now_s: float, tick_s: float) -> tuple[Beat, float]:
    """After a tick that was due and began then. Returns when the next is due, too."""
    last_s, due_s = now_s - began_s, due_s + tick_s
    late_s = now_s - due_s
    skipped = int(late_s // tick_s) + 1 if late_s > 0.0 else 0
    now = Beat(
        missed=beat.missed + skipped,
        overran=beat.overran + (skipped > 0),
        last_s=last_s,
        worst_s=max(beat.worst_s, last_s),
    )
    return now, due_s + skipped * tick_s
