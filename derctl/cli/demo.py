"""`derctl demo`: the proof of a fail-safe, then the simulated site, a broker, the daemon in control, and a live view.

Ctrl-C ends all of it.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from typing import Any

from derctl.cli.demopage import page, verdict
from derctl.cli.exits import OK, UNREACHABLE
from derctl.cli.screen import Screen

DEMO = "demo"
PROOF_FROM_S = 45.0
"""A demo that is shorter has no time for the proof."""
FIRST = """\
First the proof: derctl tells pv2 of a simulated site a limit and falls silent.
On its own pv2 has to go to 2,000 W, whatever the sun gives. Control waits for
such a proof of each device.
"""
END_S = 30.0
"""For the daemon to release what it wrote, and everything around it to end."""


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    parser.add_argument("--for", type=float, dest="seconds", metavar="S", help="end by itself after so many seconds")
    parser.add_argument("--scenario", default=DEMO, help="a scenario of the hil package (default: demo)")


def run(args: argparse.Namespace) -> int:
    """0 only if every expectation of the scenario held."""
    if any(find_spec(name) is None for name in ("hil", "numpy", "amqtt")):
        print("the demo needs the extra: pip install 'derctl[hil]'", file=sys.stderr)
        return UNREACHABLE
    _end_like_ctrl_c(signal.SIGTERM, signal.SIGHUP)
    began_s, left_s = time.monotonic(), args.seconds
    if args.scenario == DEMO and (left_s is None or left_s >= PROOF_FROM_S):
        try:
            code = _prove()
        except KeyboardInterrupt:
            print("ended: nothing was left behind")
            return OK
        if code != OK:
            return code
    command = [sys.executable, "-m", "hil", "run", args.scenario, "--json-lines"]
    command += ["--repeat"] if left_s is None else ["--by", f"{began_s + left_s:.3f}"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    screen = Screen(sys.stdout)
    try:
        with screen:
            return _show(child, View(screen))
    except KeyboardInterrupt:
        _end(child)
        print("ended: nothing was left behind")
        return 0
    finally:
        _end(child)


def _prove() -> int:
    """The first act: derctl is unplugged from one inverter of such a site, and what it does then is measured."""
    print(FIRST, flush=True)
    serve = [sys.executable, "-m", "hil", "serve", "base/proof"]
    site = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, start_new_session=True)
    child: subprocess.Popen[str] | None = None
    try:
        assert site.stdout is not None
        path = json.loads(site.stdout.readline())["site_file"]
        verify = [sys.executable, "-m", "derctl", "verify", "pv2", "--yes", "-c", path]
        child = subprocess.Popen(verify, text=True, start_new_session=True)
        code = child.wait()
        print("\nIt stays safe. Now the site under control.\n" if code == OK else "\nThe proof failed.", flush=True)
        return code
    finally:
        for each in (child, site):
            if each is not None:
                _end(each)


def _end_like_ctrl_c(*signals: signal.Signals) -> None:
    """Else the site would go on without its view. Only a main thread may say so."""
    if threading.current_thread() is threading.main_thread():
        for number in signals:
            signal.signal(number, signal.default_int_handler)


def _end(child: subprocess.Popen[str]) -> None:
    """By SIGTERM, since a shell's background process starts with SIGINT ignored; what it still says is read, since it
    would wait for that."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.communicate(timeout=END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()


def _show(child: subprocess.Popen[str], view: View) -> int:
    assert child.stdout is not None
    for line in child.stdout:
        try:
            view.take(json.loads(line))
        except ValueError:
            view.screen.say(line.rstrip("\n"))
    return child.wait()


class View:
    """What the runner tells, on a screen."""

    SAID = 5

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self._said: list[tuple[float, str]] = []

    def take(self, item: dict[str, Any]) -> None:
        """One line of the runner."""
        kind = item.get("kind")
        if kind == "event":
            self._said = [*self._said, (item["t_s"], item["text"])][-self.SAID :]
            if not self.screen.live:
                self.screen.say(f"{item['t_s']:6.1f} s  {item['text']}")
        elif kind == "snapshot":
            self.screen.draw(page(item, self._said, self.screen.paint))
        elif kind == "result":
            self.screen.leave()
            self.screen.say("\n".join(verdict(item, self.screen.paint)))
