"""Values to registers and back, by struct: the bench's own, so that a mistake in derctl's can't hide in it."""

import math
from struct import pack, unpack

from hil.faces.register_map import Line

FORMS = {"u8": "B", "u16": "H", "s16": "h", "u32": "I", "s32": "i", "f32": "f", "u64": "Q", "s64": "q"}
RANGES = {
    "u8": (0, 2**8 - 1),
    "u16": (0, 2**16 - 1),
    "s16": (-(2**15), 2**15 - 1),
    "u32": (0, 2**32 - 1),
    "s32": (-(2**31), 2**31 - 1),
    "u64": (0, 2**64 - 1),
    "s64": (-(2**63), 2**63 - 1),
}


def encoded(line: Line, value: float | str | None) -> bytes:
    """Registers (of a u8: its byte) of a value; what doesn't fit is the nearest that does, what is unknown 0."""
    if line.type == "str":
        text = b"" if value is None else str(value).encode("ascii", "replace")
        return text[: 2 * line.words].ljust(2 * line.words, b"\0")
    number = 0.0 if value is None else float(line.codes.get(value, 0) if isinstance(value, str) else value)
    number = number if line.codes or line.bits else (number * line.sign - line.offset) / line.scale
    if line.type == "f32":
        return _ordered(pack(">f", number), line)
    low, high = RANGES[line.type]
    raw = max(low, min(high, round(number))) if math.isfinite(number) else 0
    return _ordered(pack(f">{FORMS[line.type]}", raw), line)


def decoded(line: Line, content: bytes) -> float:
    """The value of a number's registers."""
    [raw] = unpack(f">{FORMS[line.type]}", _ordered(content, line))
    return (float(raw) * line.scale + line.offset) * line.sign


def _ordered(content: bytes, line: Line) -> bytes:
    if not line.low_first or len(content) <= 2:
        return content
    return b"".join(content[at : at + 2] for at in range(len(content) - 2, -1, -2))
