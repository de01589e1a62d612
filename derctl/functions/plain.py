"""Numbers out of a file that somebody may have spoilt."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def finite(plain: Mapping[str, Any], name: str) -> float:
    """Raises ValueError for what is no number, or none that ends."""
    value = plain.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} = {value!r} is no number")
    try:
        number = float(value)
    except OverflowError as error:  # an int of JSON has no end
        raise ValueError(f"{name} is no number: {error}") from error
    if not math.isfinite(number):
        raise ValueError(f"{name} = {number} is no number")
    return number
