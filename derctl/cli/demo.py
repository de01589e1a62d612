"""`derctl demo`: the simulated site, a broker, the daemon in control, and a live view. Ctrl-C ends all of it."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from importlib.util import find_spec
from typing import IO, Any

from derctl.cli.exits import UNREACHABLE
from derctl.cli.holding import because
from derctl.cli.plain import number as watts


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    parser.add_argument("--for", type=float, dest="seconds", metavar="S", help="end by itself after so many seconds")
    parser.add_argument("--scenario", default="demo", help="a scenario of the hil package (default: demo)")


def run(args: argparse.Namespace) -> int:
    """0 only if every expectation of the scenario held."""
    if any(find_spec(name) is None for name in ("hil", "numpy", "amqtt")):
        print("the demo needs the extra: pip install 'derctl[hil]'", file=sys.stderr)
        return UNREACHABLE
    command = [sys.executable, "-m", "hil", "run", args.scenario, "--json-lines"]
    command += ["--repeat"] if args.seconds is None else ["--for", f"{args.seconds:g}"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        return _show(child)
    except KeyboardInterrupt:
        child.send_signal(signal.SIGINT)
        _wait(child)
        print("\nended: nothing was left behind")
        return 0


def _wait(child: subprocess.Popen[str]) -> int:
    try:
        return child.wait(15)
    except subprocess.TimeoutExpired:
        child.terminate()
        return child.wait(15)


def _show(child: subprocess.Popen[str]) -> int:
    assert child.stdout is not None
    view = View(sys.stdout)
    for line in child.stdout:
        try:
            view.take(json.loads(line))
        except ValueError:
            print(line, end="")
    return _wait(child)


class View:
    """Draws each snapshot over the last one on a terminal, below one another elsewhere."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._live = out.isatty()
        self._said: list[str] = []

    def take(self, item: dict[str, Any]) -> None:
        """One line of the runner."""
        kind = item.get("kind")
        if kind == "event":
            self._said = [*self._said[-5:], f"{item['t_s']:6.1f} s  {item['text']}"]
            if not self._live:
                print(self._said[-1], file=self._out)
        elif kind == "snapshot":
            self._draw(page(item, self._said))
        elif kind == "result":
            print(verdict(item), file=self._out)

    def _draw(self, lines: list[str]) -> None:
        head = "\x1b[H\x1b[2J" if self._live else ""
        print(head + "\n".join(lines) + "\n", file=self._out, flush=True)


def page(item: dict[str, Any], said: list[str]) -> list[str]:
    """What each device measures, which setpoint it has, and which function bound it."""
    poc, status = item["poc"], item.get("status") or {}
    word = "export" if poc["p_w"] >= 0 else "import"
    lines = [
        f"derctl demo  {item['t_s']:5.1f} s   {status.get('mode', 'starting')}",
        f"grid {poc['v_pu']:.3f} pu  {poc['f_hz']:.2f} Hz   {word} {abs(poc['p_w']):,.0f} W   "
        f"load {sum(item['load'].values()):,.0f} W",
        "",
        f"{'':<7}{'P W':>8}{'Q var':>8}{'V pu':>8}{'SoC %':>7}{'set W':>9}{'set var':>9}  outcome",
    ]
    for name, der in item["der"].items():
        lines += _row(name, der, (status.get("ders") or {}).get(name))
    return [*lines, "", *said]


def _row(name: str, der: dict[str, Any], seen: dict[str, Any] | None) -> list[str]:
    told = (seen or {}).get("setpoint") or {}
    outcome = (seen or {}).get("outcome") or {"achieved": "-", "reason": None}
    power = told.get("p_target_w") if told.get("p_target_w") is not None else told.get("p_ceiling_w")
    soc = f"{der['soc_pct']:.0f}" if der.get("soc_pct") is not None else "-"
    word = outcome["achieved"] if outcome["reason"] is None else f"{outcome['achieved']} ({outcome['reason']})"
    lines = [
        f"{name:<7}{watts(der['p_w']):>8}{watts(der['q_var']):>8}{der['v_pu']:>8.3f}{soc:>7}"
        f"{watts(power):>9}{watts(told.get('q_var')):>9}  {word}"
    ]
    why = because(told)
    return [*lines, f"{'':<7}bound by {why}"] if why else lines


def verdict(item: dict[str, Any]) -> str:
    """The scenario's expectations, one a line."""
    rows = [
        f"{'held  ' if check['passed'] else 'BROKEN'}  {check['says']}  [{check['seen']}]" for check in item["checks"]
    ]
    held = sum(check["passed"] for check in item["checks"])
    return "\n".join([*rows, f"{held} of {len(item['checks'])} expectations held"])
