"""A vendor's habits on the wire, as data: hil/faces/personalities.yaml, which names its sources."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

WORDS = {
    "enable": ("at_once", "rewritten", "toggled"),
    "timer": ("per_group", "timer_point", "any_message", "counts_but_nothing", "lapses"),
    "extra_clients": ("refused", "silent", "kick_oldest"),
    "unserved": ("refused", "silent"),
    "night": ("sleeps", "nan", "closed", "holes", "shorter"),
    "voltage": ("phases", "lines"),
    "unknown_unit": ("0x0B", "0x0A", "silent"),
}
"""By field: what it may say."""
TUPLES = ("functions", "write_functions_1", "latency_s", "without", "until_told", "refused_models", "idle_timers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """Words are those of WORDS. `max_clients` 0 is any number; `slot_held_s`: a client that did not say goodbye keeps
    its place for so long.

    `max_regs`: a longer read is refused with `too_long_code`. `spans`: a read may go over two models. `unserved`:
    what a read outside of the map gets.

    `enable`: parameters act at once, when the enable point is written, or (a limit) when it went through 0.
    `write_only`: control points read back as 0xFFFF. `refuse_code`: the exception for writes that are not allowed.
    `refuses`: (low, high) of what a point takes. `act_s`: what is written acts so much later. `gate`: a register and
    the word with which in it writes are taken; it is closed when it comes, and a restart leaves it as it is.
    `timer`: "lapses" lets go of what was told, and its registers still show it; `timer_s`: its time where none is
    set; `idle_timers`: models whose timers count and nothing follows. `keeps`: a restart forgets nothing.
    `delivered`: points as they leave the factory.

    `connect_delay_s`: what a client says sooner after its connect is lost. `busy_p`: the share of requests that get
    exception 6. `unknown_unit`: the exception that a unit id gets behind which nothing is.

    `without`: points that read as not implemented and can't be written. `shows`: points that always read so.
    `until_told`: points that read as not implemented until an enable of their model is written.
    `night`: an inverter without sun "sleeps" (zeros and a state), shows "nan" (measured points not implemented), is
    "closed" (no listener), has "holes" (nan, and `refused_models` refuse) or a "shorter" map (714 without its ports).
    `voltage`: an inverter fills in its "phases", or only what stands between the "lines".
    """

    maker: str = "HIL"
    model: str = "generic"
    version: str = "1.0"
    base: int = 40000
    max_regs: int = 125
    too_long_code: int = 3
    spans: bool = True
    unserved: str = "refused"
    functions: tuple[int, ...] = (3, 6, 16)
    write_functions_1: tuple[int, ...] = (6, 16)
    enable: str = "at_once"
    write_only: bool = False
    timer: str = "per_group"
    timer_s: float = 0.0
    idle_timers: tuple[int, ...] = ()
    keeps: bool = False
    delivered: Mapping[str, float] = field(default_factory=dict)
    refuses: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    gate: tuple[int, int] | None = None
    act_s: float = 0.0
    max_clients: int = 0
    extra_clients: str = "refused"
    slot_held_s: float = 0.0
    idle_timeout_s: float = 0.0
    min_interval_s: float = 0.0
    latency_s: tuple[float, float] = (0.005, 0.02)
    refresh_s: float = 0.2
    refuse_code: int = 2
    unknown_unit: str = "0x0B"
    connect_delay_s: float = 0.0
    busy_p: float = 0.0
    common_length: int = 66
    noise_pu: float = 0.0
    scale_factors: Mapping[str, int] = field(default_factory=dict)
    settings_not_implemented: bool = False
    without: tuple[str, ...] = ()
    until_told: tuple[str, ...] = ()
    shows: Mapping[str, float] = field(default_factory=dict)
    night: str = "sleeps"
    refused_models: tuple[int, ...] = ()
    voltage: str = "phases"


@cache
def _shelf() -> Mapping[str, Mapping[str, Any]]:
    text = (Path(__file__).parent / "personalities.yaml").read_text(encoding="utf-8")
    shelf: Mapping[str, Mapping[str, Any]] = yaml.safe_load(text)
    return shelf


def names() -> list[str]:
    """All that there are."""
    return sorted(_shelf())


def personality(name: str, changes: Mapping[str, Any] | None = None) -> Personality:
    """The named one, with a scenario's changes on top. Unknown keys are refused."""
    if name not in _shelf():
        raise ValueError(f"no personality {name!r}; there are {', '.join(sorted(_shelf()))}")
    return made(name, {**_shelf()[name], **(changes or {})})


def made(name: str, changes: Mapping[str, Any]) -> Personality:
    """One of its own habits over the common ones. Unknown keys are refused."""
    given = dict(changes)
    known = {f.name for f in fields(Personality)}
    if unknown := set(given) - known:
        raise ValueError(f"personality {name}: unknown {', '.join(sorted(unknown))}")
    for key in (*TUPLES, "gate"):
        if given.get(key) is not None:
            given[key] = tuple(given[key])
    for key, words in WORDS.items():
        if given.get(key, words[0]) not in words:
            raise ValueError(f"personality {name}: {key} {given[key]!r} is none of {', '.join(words)}")
    return replace(Personality(), **given)
