"""A vendor's habits on the wire, as data: hil/faces/personalities.yaml, which names its sources."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

NIGHTS = ("sleeps", "nan", "closed")
VOLTAGES = ("phases", "lines")
TIMERS = ("per_group", "timer_point", "any_message", "counts_but_nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """`max_clients` 0 is any number; `extra_clients`: refused, silent or kick_oldest. `timer`: one of TIMERS.

    `needs_enable_rewritten`: parameters act only when the enable point is written. `write_only`: control points read
    back as 0xFFFF. `refuse_code`: the exception for writes that are not allowed. `night`: an inverter without sun
    "sleeps" (zeros and a state), shows "nan" (measured points not implemented) or is "closed" (no listener).
    `voltage`: an inverter fills in its "phases", or only what stands between the "lines".
    """

    maker: str = "HIL"
    model: str = "generic"
    version: str = "1.0"
    base: int = 40000
    max_regs: int = 125
    functions: tuple[int, ...] = (3, 6, 16)
    write_functions_1: tuple[int, ...] = (6, 16)
    needs_enable_rewritten: bool = False
    write_only: bool = False
    timer: str = "per_group"
    max_clients: int = 0
    extra_clients: str = "refused"
    idle_timeout_s: float = 0.0
    min_interval_s: float = 0.0
    latency_s: tuple[float, float] = (0.005, 0.02)
    refresh_s: float = 0.2
    refuse_code: int = 2
    unknown_unit: str = "0x0B"
    common_length: int = 66
    noise_pu: float = 0.0
    scale_factors: Mapping[str, int] = field(default_factory=dict)
    settings_not_implemented: bool = False
    night: str = "sleeps"
    voltage: str = "phases"


@cache
def _shelf() -> Mapping[str, Mapping[str, Any]]:
    text = (Path(__file__).parent / "personalities.yaml").read_text(encoding="utf-8")
    shelf: Mapping[str, Mapping[str, Any]] = yaml.safe_load(text)
    return shelf


def personality(name: str, changes: Mapping[str, Any] | None = None) -> Personality:
    """The named one, with a scenario's changes on top. Unknown keys are refused."""
    if name not in _shelf():
        raise ValueError(f"no personality {name!r}; there are {', '.join(sorted(_shelf()))}")
    given = {**_shelf()[name], **(changes or {})}
    known = {f.name for f in fields(Personality)}
    if unknown := set(given) - known:
        raise ValueError(f"personality {name}: unknown {', '.join(sorted(unknown))}")
    for key in ("functions", "write_functions_1", "latency_s"):
        if key in given:
            given[key] = tuple(given[key])
    if given.get("timer", "per_group") not in TIMERS:
        raise ValueError(f"personality {name}: timer {given['timer']!r} is none of {TIMERS}")
    if given.get("night", "sleeps") not in NIGHTS:
        raise ValueError(f"personality {name}: night {given['night']!r} is none of {NIGHTS}")
    if given.get("voltage", "phases") not in VOLTAGES:
        raise ValueError(f"personality {name}: voltage {given['voltage']!r} is none of {VOLTAGES}")
    return replace(Personality(), **given)
