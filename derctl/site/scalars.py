"""Plain words of YAML to values, where versions 1.1 and 1.2 agree; where they don't, an Unclear."""

from __future__ import annotations

import re

INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
HEX = re.compile(r"0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
SPECIAL = {f"{sign}.{word}": f"{sign}{word}" for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")}
SPECIAL |= {".nan": "nan", ".NaN": "nan", ".NAN": "nan"}
UNCLEAR = re.compile(
    r"""[-+]?0[0-9_]+                               # octal in 1.1
      | [-+]?0[bo][0-9_]+                           # binary in 1.1, octal in 1.2
      | 0x[0-9a-fA-F_]+
      | [-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?     # a number in 1.1
      | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?  # to the base of 60 in 1.1
      | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt\ ].*)?  # a date in 1.1
    """,
    re.VERBOSE,
)
DIGITS_MAX = 40
"""More than any number here has, and than int() takes from text."""


class Unclear(str):
    """A word that is a number or a date for some readers of YAML and something else for others."""

    __slots__ = ()


def scalar(text: str) -> object:
    """The value of a word without quotes. Only true and false are truth values: `off` is a word of the site file."""
    if text in {"", "~", "null", "Null", "NULL"}:
        return None
    if text.lower() in {"true", "false"} and text in {text.lower(), text.upper(), text.capitalize()}:
        return text.lower() == "true"
    if len(text) > DIGITS_MAX:
        return Unclear(text) if text.strip("+-").isdecimal() else text
    if INT.fullmatch(text):
        return int(text)
    if HEX.fullmatch(text):
        return int(text, 16)
    if text in SPECIAL:
        return float(SPECIAL[text])
    if UNCLEAR.fullmatch(text):
        return Unclear(text)
    return float(text) if FLOAT.fullmatch(text) else text
