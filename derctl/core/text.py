"""Text that comes from outside, made harmless for a terminal, a log and a topic."""

from __future__ import annotations

from collections.abc import Callable, Mapping

TEXT_MAX = 64
"""Characters that are kept of a device's text."""

UNITS = {"w": "W", "wh": "Wh", "va": "VA", "var": "var", "v": "V", "pu": "pu", "hz": "Hz", "pct": "%", "s": "s"}
"""The unit that a field's name ends in, as it is written."""


def unit_of(name: str) -> str:
    """By the ending of a field's name; "" for one that has none."""
    return UNITS.get(name.rpartition("_")[2], "")


def amount(name: str, value: object) -> str:
    """A field's value with its unit."""
    bare = f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
    return f"{bare} {unit_of(name)}".rstrip()


def power_text(power_w: float, out: str = "discharging", back: str = "charging") -> str:
    """`charging 2,000 W`: what goes one way or the other, without a sign. out: what it is called above 0 W."""
    whole = round(power_w)
    return "0 W" if whole == 0 else f"{out if whole > 0 else back} {abs(whole):,} W"


def gives_text(power_w: float) -> str:
    """`gives 7,000 W`, `draws 2,000 W`."""
    return f"{'draws' if round(power_w) < 0 else 'gives'} {abs(round(power_w)):,} W"


def edge_text(power_w: float, *, ceiling: bool) -> str:
    """`at most 4,000 W`; of an edge below 0 W `charging at least 2,000 W`."""
    below = round(power_w) < 0
    return f"{'charging ' if below else ''}at {'most' if ceiling is not below else 'least'} {abs(round(power_w)):,} W"


WAYS = {"p_target_w": ("discharging", "charging"), "poc_target_w": ("exporting", "importing")}
"""What a request asks for that goes one way or the other."""
EDGES = frozenset({"p_ceiling_w", "p_floor_w"})
UNSAID = frozenset({"schedule", "parts", "part_s"})
"""Of a request: what is said in other words, or takes too many."""
NOTHING_NOW = "nothing now"
"""Of one between its intervals."""


def wish(values: Mapping[str, object], shown: Callable[[str, object], str] = amount) -> str:
    """What a request asks for, in words: one value by itself, of several what they are of. shown: a value as text."""
    if "settings" in values:
        return _shape(values, shown)
    found = []
    for name, value in values.items():
        if value is None or name in UNSAID:
            continue
        if name == "part":
            found.append(f"interval {value} of {values['parts']}")
        elif name in WAYS and isinstance(value, int | float):
            found.append(power_text(value, *WAYS[name]))
        elif name in EDGES and isinstance(value, int | float) and value < 0.0:
            found.append(edge_text(value, ceiling=name == "p_ceiling_w"))
        elif len(values) == 1:
            found.append(shown(name, value))
        else:
            stem = name.rpartition("_")[0].replace("_", " ")
            found.append(f"{stem or name} {shown(name, value)}")
    return ", ".join(found) or (NOTHING_NOW if values else "")


def _shape(values: Mapping[str, object], shown: Callable[[str, object], str]) -> str:
    """Of a function: its settings that are others, or that it is off."""
    settings = values["settings"]
    assert isinstance(settings, Mapping)
    said = [f"{name} {_points(value) or shown(name, value)}" for name, value in settings.items()]
    text = ", ".join(said) if values.get("on", True) else "off"
    return str(values.get("function")) + (f" ({text})" if text else "")


def _points(value: object) -> str:
    """Of a curve; "" for what is none."""
    if not isinstance(value, list | tuple):
        return ""
    return " ".join("/".join(f"{each:g}" for each in point) for point in value)


def clean(text: str) -> str:
    """One line without anything that a terminal would obey; a device can send what it likes."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


def device_text(text: str) -> str:
    """What a device says in words: clean, without blanks around it, and not longer than words are."""
    return clean(text.replace("\ufffd", "?")).strip()[:TEXT_MAX].rstrip()


def serial_text(text: str) -> str:
    """A serial number; "" for one that can't be printed as it is: it may be other rubbish at each look."""
    bare = text.strip()
    return device_text(bare) if bare.isprintable() and "\ufffd" not in bare else ""


def error_text(error: Exception) -> str:
    """Its words, and the file's name where the system says it, without the system's number."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"


def share_of(text: str) -> float:
    """From 0 to below 1: like chance between texts, and the same each time (FNV-1a, then mixed)."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    value = (value ^ value >> 16) * 0x45D9F3B & 0xFFFFFFFF
    return (value ^ value >> 16) / 2.0**32
