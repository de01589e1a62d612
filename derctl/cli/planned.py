"""The bus plan in words for an installer: what each bus costs, how old its readings get, what doesn't fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from derctl.cli.plain import wrapped
from derctl.site.buses import Planned, missed_text


def plan_text(buses: Sequence[Planned]) -> list[str]:
    """A line for each bus, and more for one that can't keep a deadline."""
    lines = ["  bus plan:"] if buses else []
    width = max((len(each.plan.bus) for each in buses), default=0)
    for each in buses:
        lines += wrapped(_bus(each), f"    {each.plan.bus:<{width}}  ", "      ")
        if each.missed:
            lines += wrapped(f"! bus {each.plan.bus}: {missed_text(each.missed, each.would)}", "    ", "      ")
        if each.slow:
            text = missed_text(each.slow, each.would, "refused once its devices answer no sooner than most do")
            lines += wrapped(f"! bus {each.plan.bus}: {text}", "    ", "      ")
        if each.aged:
            lines += wrapped(f"! bus {each.plan.bus}: {each.aged}", "    ", "      ")
    return lines


def _bus(planned: Planned) -> str:
    plan = planned.plan
    units = "1 unit" if planned.units == 1 else f"{planned.units} units"
    text = f"{planned.wire}, {units}: load {plan.load_pct:.0f} %, a poll takes up to {plan.poll_s:.2g} s"
    if plan.write_s:
        text += f", all setpoints {plan.write_s:.2g} s"
    return f"{text}; readings get as old as {', '.join(_ages(planned))}"


def _ages(planned: Planned) -> list[str]:
    """Those that are as old as one another, together."""
    found: dict[str, list[str]] = {}
    for name, age_s in planned.plan.ages_s.items():
        found.setdefault(f"{age_s:.2g} s", []).append(name)
    return [f"{age} ({', '.join(names)})" for age, names in found.items()]


def plan_json(planned: Planned) -> dict[str, Any]:
    """The same for programs."""
    return asdict(planned.plan) | {
        "wire": planned.wire,
        "units": planned.units,
        "missed": list(planned.missed),
        "slow": list(planned.slow),
        "aged": planned.aged,
        "would": asdict(planned.would),
        "text": missed_text(planned.missed, planned.would),
    }
