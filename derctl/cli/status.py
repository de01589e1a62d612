"""`derctl status`: live state from the running daemon."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

from derctl.cli.local import add_socket, socket_of
from derctl.links.local import ask


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument("--json", action="store_true", help="for programs: section 4 of docs/interfaces.md")


def run(args: argparse.Namespace) -> int:
    """0 if the daemon answers."""
    state = asyncio.run(ask(socket_of(args), "status"))
    print(json.dumps(state, indent=2) if args.json else render(state))
    return 0


def watts(value: float | None) -> str:
    """Right-aligned, - for None."""
    return "-" if value is None else f"{value:,.0f}"


def render(state: dict[str, Any]) -> str:
    """A page for a terminal, 100 columns."""
    mode = state["mode"] if state["mode_reason"] is None else f"{state['mode']}: {state['mode_reason']}"
    loop, absent = state["loop"], state["absent"]
    lines = [f"{state['site']}  {mode}", _poc(state["poc"]), ""]
    lines.append(
        f"{'':<10}{'state':<12}{'P W':>8}{'Q var':>8}{'V pu':>8}{'SoC %':>7}{'set W':>9}{'set var':>9}  outcome"
    )
    for name, der in state["ders"].items():
        lines += _der(name, der)
    kept = "keeps" if absent["holds"] else "BREAKS"
    limit = "no contract" if absent["limit_w"] is None else f"{absent['limit_w']:,.0f} W, {kept} the contract"
    lines += ["", f"without derctl at most {absent['p_export_w']:,.0f} W of {limit}"]
    lines.append(
        f"tick {loop['tick_s']:g} s, {loop['ticks']} ticks, {loop['missed']} missed, last {loop['last_s']:.3f} s"
    )
    if (broker := state["mqtt"]) is not None:
        lines.append(f"broker: {broker['text']} (MQTT {broker['protocol']})")
    lines += [
        f"  {event['t']}  {event['event']} {event['der'] or ''} {event['text']}" for event in state["events"][-5:]
    ]
    return "\n".join(lines)


def _poc(poc: dict[str, Any] | None) -> str:
    if poc is None:
        return "no meter at the point of connection"
    seen = poc["measurement"]
    if not poc["fresh"] or seen["p_w"] is None:
        return f"point of connection: {poc['state']}"
    word = "export" if seen["p_w"] >= 0 else "import"
    v_pu = "-" if seen["v_pu"] is None else f"{seen['v_pu']:.3f}"
    f_hz = "-" if seen["f_hz"] is None else f"{seen['f_hz']:.2f}"
    return f"point of connection: {word} {abs(seen['p_w']):,.0f} W, {v_pu} pu, {f_hz} Hz"


def _der(name: str, der: dict[str, Any]) -> list[str]:
    seen, told, outcome = der["measurement"], der["setpoint"] or {}, der["outcome"]
    power = told.get("p_target_w") if told.get("p_target_w") is not None else told.get("p_ceiling_w")
    v_pu = "-" if seen["v_pu"] is None else f"{seen['v_pu']:.3f}"
    soc = "-" if seen["soc_pct"] is None else f"{seen['soc_pct']:.0f}"
    word = outcome["achieved"] if outcome["reason"] is None else f"{outcome['achieved']} ({outcome['reason']})"
    first = (
        f"{name:<10}{der['state']:<12}{watts(seen['p_w']):>8}{watts(seen['q_var']):>8}{v_pu:>8}{soc:>7}"
        f"{watts(power):>9}{watts(told.get('q_var')):>9}  {word}"
    )
    return [first, *([f"{'':<10}{why}"] if (why := because(told)) else [])]


def because(told: dict[str, Any]) -> str:
    """Who bound this setpoint, in one line: the last to narrow each part. An edge that a target keeps away from is
    left out."""
    last: dict[str, str] = {}
    target = told.get("p_target_w")
    for bound in told.get("bound_by", []):
        if (
            target is not None
            and bound["what"] in {"p_ceiling_w", "p_floor_w"}
            and abs(bound["value"] - target) > 1.0
        ):
            continue
        why = "" if bound["why"] is None else f" ({bound['why']})"
        last[bound["what"]] = f"{bound['by']} {bound['value']:,.0f}{why}"
    return "; ".join(last.values())
