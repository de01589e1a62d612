"""Functions in the shape that somebody asked for: which settings may be asked for, and what is made of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from derctl.core.plan import DerFunction, Plan
from derctl.core.requests import FunctionRequest, Setting
from derctl.core.shape import Modes, Speaker
from derctl.errors import SettingError
from derctl.functions.const_pf import ConstPf
from derctl.functions.const_var import ConstVar
from derctl.functions.settings import Ruled, Settings, settings_of
from derctl.functions.volt_var import VoltVar
from derctl.functions.watt_var import WattVar

MODES: Mapping[str, type[Settings]] = {cls.kind: cls for cls in (VoltVar, WattVar, ConstPf, ConstVar)}
"""Reactive modes, of which a DER has one at a time."""
SHAPED: Mapping[str, tuple[str, ...]] = {
    "volt_var": ("points", "olrt_s"),
    "watt_var": ("points", "olrt_s"),
    "const_pf": ("pf", "excitation"),
    "const_var": ("q_pu",),
    "volt_watt": ("v1_pu", "v2_pu", "p2_pu", "olrt_s"),
    "freq_droop": ("db_of_hz", "db_uf_hz", "k_of", "k_uf", "olrt_s"),
}
"""By function, which of its settings may be others for a time."""
NEEDED: Mapping[str, str] = {"const_pf": "pf", "const_var": "q_pu"}
"""What has to be said with a mode that was not in force: nothing else has a word on it."""


def made(modes: Modes, function: Speaker, request: FunctionRequest) -> Speaker | None:
    """core/shape.Made, by the settings of this tick's request."""
    if request.function != function.kind and not (request.reactive and function.kind in MODES):
        return function
    if not request.on:
        return None
    base = base_of(modes, function, request.function)
    if base is None:
        return function
    try:
        return shaped(base, request.settings)
    except (SettingError, TypeError):  # another site file by now
        return function


def base_of(modes: Modes, function: Speaker, kind: str) -> Speaker | None:
    """What a shape of this kind starts from: the site file's own, else the grid code's."""
    return function if function.kind == kind else next((each for each in modes if each.kind == kind), None)


def shaped(base: Any, settings: Mapping[str, Setting]) -> Speaker:
    """With these settings. Raises SettingError."""
    return _built(base, tuple(sorted(settings.items())))


@lru_cache(maxsize=64)
def _built(base: Any, settings: tuple[tuple[str, Setting], ...]) -> Speaker:
    """The same arguments give the same one: each tick asks for it."""
    built: Speaker = dataclasses.replace(base, **dict(settings))
    return built


def unconfirmed(function: Speaker, settings: Iterable[str]) -> list[str]:
    """Those of its settings for which its grid code gives no range."""
    rules = function.rules if isinstance(function, Ruled) else None
    if rules is None or not isinstance(function, Settings):
        return []
    wide = {item.name for item in settings_of(type(function)) if item.metadata.get("wide")}
    return [name for name in settings if name in wide and name not in rules]


def applied(plan: Plan, requests: Iterable[FunctionRequest]) -> Plan:
    """The plan as it is while these are alive: what is judged before one is admitted."""
    asked, rows = list(requests), list[tuple[DerFunction, tuple[str, ...]]]()
    for function, ids in plan.der_functions:
        found: dict[DerFunction, tuple[str, ...]] = {}
        for der in ids:
            now = speaking(plan, function, der, asked)
            if now is not None:
                found[now] = (*found.get(now, ()), der)
        rows += found.items()
    return dataclasses.replace(plan, der_functions=tuple(rows))


def speaking(plan: Plan, function: DerFunction, der: str, requests: Iterable[FunctionRequest]) -> DerFunction | None:
    """Who speaks for this DER in the function's place; None: nobody."""
    asked = [each for each in requests if each.der in {None, der}]
    for request in sorted(asked, key=lambda each: each.der is None):
        if (now := made(plan.modes, function, request)) is not function:
            return now
    return function
