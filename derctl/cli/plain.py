"""Text for a terminal: codes in plain words, numbers, times, and lines that no device's text can break."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import Any

from derctl.core import text as texts
from derctl.core.text import clean

WIDTH = 80

WHO: dict[str, str] = {
    "comms_loss": "lost contact",
    "fallback_stands": "its fallback, which stands without derctl",
    "found_limit": "a limit that was found in it",
    "input_lost": "a function that has no input any more",
    "rating": "its rating",
    "s_max_va": "its apparent power",
    "on_trial": "the look whether the meter follows it",
    "slow_rest": "the slow way to rest",
    "slow_rise": "the slow rise from what stood in it",
    "sun_only": "the sun, which is measured to give no more",
    "unmeasured": "what it was told last, since its power is not measured",
}
"""Who bounds a setpoint, beside the functions."""

WHOLE = frozenset({"W", "Wh", "VA", "var"})
"""Units of which nobody reads decimals."""

REASONS: dict[str, str] = {
    "no_sun": "there is no sun",
    "bms_limit": "the battery allows no more",
    "below_minimum": "it may give less than it takes at least",
    "senior_bound": "a senior function bounds it",
    "meter_lost": "the meter is lost: load is not counted",
    "meter_unproven": "the meter is not proven yet: load is not counted",
    "phases_unseen": "the meter shows no phases: load is not counted in any",
    "phase_astray": "one feeds in another phase than the site file says: each counts in all",
    "not_supported": "the device can't do it",
    "override": "something else set another limit",
    "gate_closed": "nothing is written",
    "write_ignored": "it ignores what is written",
    "write_clipped": "it takes another value than was written",
    "contested": "something else keeps it at less",
    "write_budget": "its memory wears out, and most of the day's writes are spent",
    "not_followed": "it takes what is written, and its power does not follow",
    "contradicted": "its power contradicts what it reads back",
    "refused": "it refuses what is written",
    "unreachable": "it can't be reached",
    "late": "its bus has no time for writes",
    "stale": "its last reading is too old",
    "frozen": "its registers stand still",
    "unmeasured": "it answers, but measures nothing",
    "implausible": "it reads what can't be true",
    "mismatch": "it is not as the site file says",
    "firmware_changed": "its new firmware is not acknowledged yet",
    "identity_changed": "another device answers",
    "own_function_on": "the device runs its own",
    "held": "it has no input now",
    "no_measured_sun": "no store draws from the grid unasked",
    "on_trial": "it was not seen to move the meter yet",
    "uncontained": "an excursion may last too long: load is not counted",
    "hunting": "it hunted, and is held still",
    "locked_out": "locked out after too many long excursions",
    "relaxing": "a limit has ended, and power comes back on a ramp",
    "battery_barred": "alarms, cells, temperature or the contactor bar the battery",
    "battery_silent": "nothing new is heard of the battery's limits",
    "battery_recovers": "the battery is too low or asleep, and may be charged with little until it comes back",
    "section_unclear": "it has several sections, and which one is meant is not said",
    "not_charged": "its charge is not measured to be what was asked for",
}
"""core.words.Reason for people."""

STATES: dict[str, str] = {
    "starting": "not found yet",
    "unreachable": "can't be reached",
    "refused": "not accepted",
    "frozen": "stands still",
    "unmeasured": "measures nothing",
    "stale": "its last reading is too old",
    "asleep": "asleep",
    "standby": "stands by because of its limit",
    "fault": "reports a fault",
    "observed": "never written (control: false)",
    "ok": "answers",
}
"""core.words.Shown for people."""

METER: dict[str, str] = {
    "proven": "meter proven",
    "unproven": "meter not proven yet",
    "doubted": "meter doubted",
    "lost": "meter lost",
}


def cleaned(value: Any) -> Any:
    """A JSON value with every string and key in it clean."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    return [cleaned(item) for item in value] if isinstance(value, list) else value


def columns(text: str) -> int:
    """How wide a terminal shows it."""
    return sum(_columns(c) for c in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def padded(text: str, width: int) -> str:
    """At least so many columns."""
    return text + " " * max(0, width - columns(text))


def page(lines: Iterable[str]) -> str:
    """Each of them from the first column on, what goes on below it further in."""
    return "\n".join(part for line in lines for part in wrapped(line, rest="  "))


def wrapped(text: str, first: str = "", rest: str | None = None, *, width: int = WIDTH) -> list[str]:
    """Lines of at most `width` columns: `first` before the first, `rest` (default: as many spaces) before the others.

    Nothing is cut: a word that is longer than a line goes on in the next.
    """
    rest = " " * columns(first) if rest is None else rest
    lines, line, empty = [], first, True
    for word in text.split():
        if not empty and columns(line) + 1 + columns(word) > width:
            lines.append(line)
            line, empty = rest, True
        line += word if empty else f" {word}"
        empty = False
        while columns(line) > width:
            head = _fitting(line, width)
            lines.append(head)
            line = rest + line[len(head) :]
    return [*lines, line.rstrip()]


def _fitting(line: str, width: int) -> str:
    at = used = 0
    while at < len(line) and used + _columns(line[at]) <= width:
        used += _columns(line[at])
        at += 1
    return line[:at]


def sides(left: str, right: str, *, width: int = WIDTH) -> list[str]:
    """Left and right on one line where they fit, else below each other."""
    room = width - columns(left) - columns(right)
    return [left + " " * room + right] if room >= 2 else [*wrapped(left, rest="  "), *wrapped(right)]


def number(value: float | None, digits: int = 0) -> str:
    """With thousands apart; - for None; never -0."""
    if value is None:
        return "-"
    rounded = round(value, digits) + 0.0
    return f"{rounded:,.{digits}f}"


def watts(value: float | None) -> str:
    """`3,120 W`."""
    return f"{number(value)} W"


def amount(name: str, value: Any) -> str:
    """A field's value with the unit that its name ends in; a bare value where it ends in none."""
    unit = texts.unit_of(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if unit == "s":
        return span(value)
    return f"{number(value)} {unit}" if unit in WHOLE else texts.amount(name, value)


def who(by: str) -> str:
    """A function's name as a person says it. One that is not known, as from a newer daemon, is shown by its code."""
    from derctl.functions import ROWS

    return WHO.get(by) or (ROWS[by].said if by in ROWS else by.replace("_", "-"))


def reason(code: str) -> str:
    """A reason's code in words; what is no code stays as it is."""
    return REASONS.get(code, code)


def span(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    big, small, names = (minutes // 60, minutes % 60, ("h", "min"))
    if big >= 24:
        big, small, names = (big // 24, big % 24, ("d", "h"))
    return f"{big} {names[0]} {small} {names[1]}" if small else f"{big} {names[0]}"


class Clockface:
    """Moments of the daemon's clock as this terminal's local time. zone None: the system's."""

    def __init__(self, now: str, zone: tzinfo | None = None) -> None:
        self.zone = zone
        self.now = self._local(now)

    def _local(self, stamp: str) -> datetime:
        return datetime.fromisoformat(stamp).astimezone(self.zone)

    def at(self, stamp: str, *, seconds: bool = False) -> str:
        """`15:11`, and the day where it is another one."""
        there = self._local(stamp)
        text = there.strftime("%H:%M:%S" if seconds else "%H:%M")
        if there.date() == self.now.date():
            return text
        day = f"{there.day} {there:%b}"
        return f"{day} {text}" if abs(there - self.now) < timedelta(days=180) else f"{day} {there.year} {text}"

    def ahead(self, seconds: float) -> str:
        """The moment so many seconds from now."""
        return self.at((self.now + timedelta(seconds=seconds)).isoformat())
