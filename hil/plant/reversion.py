"""The dead-man timer that SunSpec 123, 124 and 704 have per control group (points RvrtTms)."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadMan:
    """`after_s` 0 means never. `remaining_s` is None while it does not run."""

    after_s: float = 0.0
    remaining_s: float | None = None


def armed(after_s: float, *, enabled: bool) -> DeadMan:
    """Started anew if the control is on and has a time; else stopped."""
    return DeadMan(after_s=after_s, remaining_s=after_s if enabled and after_s > 0.0 else None)


def restarted(timer: DeadMan) -> DeadMan:
    """Full time again, if it runs."""
    return timer if timer.remaining_s is None else replace(timer, remaining_s=timer.after_s)


def elapse(timer: DeadMan, dt_s: float, *, acts: bool = True) -> tuple[DeadMan, bool]:
    """Let dt_s pass; True when the control must fall back now. `acts` False: it counts to 0 and nothing follows."""
    if timer.remaining_s is None:
        return timer, False
    left_s = timer.remaining_s - dt_s
    if left_s > 1e-9:
        return replace(timer, remaining_s=left_s), False
    return replace(timer, remaining_s=None if acts else 0.0), acts
