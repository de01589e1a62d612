"""The verbs that ask the daemon, as an installer types them, against one that runs."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from derctl.links.local import ask


def no_broker(site: dict[str, Any]) -> None:
    site["mqtt"] = {"host": "127.0.0.1", "port": 1}


def only_operators(site: dict[str, Any]) -> None:
    """Else a meter that is not proven yet has a say."""
    site["functions"] = [{"kind": "operator_limit"}]


async def derctl(app: Any, *words: str, code: int = 0) -> str:
    """The command line as a process of its own; its output, once it ended with `code`."""
    place = ("--socket", str(app.control.site.file.site.socket))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "derctl", *words, *place),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == code, err.decode()
    return (out if code == 0 else err).decode()


async def derctl_shows(app: Any, *words: str) -> str:
    """What a command prints that answers no, since it only shows."""
    place = ("--socket", str(app.control.site.file.site.socket))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "derctl", *words, *place), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 1, out.decode()
    return out.decode()


async def call(app: Any, name: str, args: dict[str, Any] | None = None) -> Any:
    return await ask(Path(app.control.site.file.site.socket), name, args)


async def test_the_page_says_what_the_json_says(bench: Any) -> None:
    async with bench(no_broker) as b:
        await b.until(lambda: b.app.gate.open)
        await b.ticks(10)
        state = json.loads(await derctl(b.app, "status", "--json"))
        page = await derctl(b.app, "status")
    assert re.match(rf"{state['site']}   CONTROL\b", page)
    assert all(len(line) <= 80 for line in page.splitlines())
    assert set(state["ders"]) == {"pv1", "pv2", "bat1"}
    for name, der in state["ders"].items():
        line = next(line for line in page.splitlines() if line.startswith(name))
        assert der["state"] == "ok" and re.match(
            rf"{name} +-?[\d,]+ W  (limited|not limited|below its limit|charging|resting)", line
        )
    assert re.search(r"^(export [\d,]+ of 7,000 W|import [\d,]+ W).* 2\d\d V +50\.\d\d Hz\b", page, re.M)
    absent = state["absent"]
    assert f"without derctl: at most {absent['p_export_w']:,.0f} of {absent['limit_w']:,.0f} W, keeps the" in page
    assert re.search(r"^broker: .*(refused|not connected).* \(MQTT 5\)$", page, re.M)


async def test_the_page_names_who_bound_a_setpoint(bench: Any) -> None:
    async with bench(only_operators) as b:
        await b.until(lambda: b.app.gate.open)
        said = await derctl(b.app, "command", "limit_power", "der=pv1", "p_ceiling_w=1234", "expires_s=60")
        assert re.fullmatch(r"admitted: until \d{4}-.*Z\n", said)
        await b.until(lambda: b.writers["pv1"].account.outcome.desired.p_ceiling_w == 1234.0)
        page = (await derctl(b.app, "status")).splitlines()
    assert any(re.match(r"pv1 .* limited to 1,234 W by operator .*until \d\d:\d\d", line) for line in page)


async def test_limit_takes_its_words_in_any_order_and_options_anywhere(bench: Any) -> None:
    async with bench(only_operators) as b:
        await b.until(lambda: b.app.gate.open)
        said = await derctl(b.app, "limit", "10m", "pv1", "1.5kW")
        assert re.fullmatch(r"admitted: pv1 at most 1,500 W until \d\d:\d\d\n", said)
        [held] = b.app.requests.held.values()
        assert held.request.p_ceiling_w == 1500.0
        assert 590.0 < held.ends_s - time.monotonic() <= 600.0
        said = await derctl(b.app, "limit", "--for", "2h", "3000", "W")
        assert said.startswith("admitted: the site at most 3,000 W until ")
        _, held = b.app.requests.held.values()
        assert held.request.der is None and 7190.0 < held.ends_s - time.monotonic() <= 7200.0
        why = (await derctl(b.app, "why", "pv1")).replace("\n", " ")
        assert "asked for 1,500 W until" in why
        assert "no DER 'pv9'; known are pv1, pv2, bat1" in await derctl(b.app, "limit", "3000", "pv9", code=1)
        assert "no DER 'pv9'; known are pv1, pv2, bat1" in await derctl(b.app, "why", "pv9", code=1)
        assert "no DER 'pv9'; known are pv1, pv2, bat1" in await derctl(b.app, "clear", "pv9", code=1)
        assert "out_of_range" in await derctl(b.app, "limit", "1e6", "pv1", code=1)
        assert "give one" in await derctl(b.app, "limit", "1000", "2000", code=2)
        said = " ".join((await derctl(b.app, "limit", "20m", "pv1", "3kW")).split())
        assert said.endswith("'s limit of 1500 W is the tighter one and binds (clear pv1 drops both)"), said
        assert await derctl(b.app, "clear", "pv1") == "2 requests dropped\n"
        assert await derctl(b.app, "clear") == "1 request dropped\n"


async def listed_by_release(folder: Path, *, code: int) -> str:
    """What derctl has in the devices of the site file in this folder."""
    words = ("release", "--list", "-c", str(folder / "site.yaml"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "derctl", *words), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == code, out.decode()
    return out.decode()


async def test_disarm_says_what_stands_and_arm_takes_it_back(bench: Any, tmp_path: Path) -> None:
    async with bench(only_operators) as b:
        await b.until(lambda: b.app.gate.open)
        await derctl(b.app, "limit", "1200", "pv1")
        await b.until(
            lambda: (
                b.writers["pv1"].account.outcome.desired.p_ceiling_w == 1200.0 and not b.writers["pv1"].errand.busy
            )
        )
        text = await listed_by_release(tmp_path, code=1)
        listed = text.splitlines()
        assert listed[0] == "derctl is in control" and max(map(len, listed)) <= 80
        flowing = re.sub(r"\n +", " ", text)
        assert re.search("^pv1: written since .*Z, not given back; a limit of 1,200 W stands$", flowing, re.M), text
        assert "--lift" in listed[-1]
        assert b.app.gate.open and b.app.control.releaser.records.written.entries
        said = (await derctl(b.app, "disarm")).splitlines()
        assert said[0] == "disarmed: nothing is written any more"
        assert "pv1: released; a limit of 1,200 W stands" in said
        assert "--lift" in said[-1]
        listed = (await listed_by_release(tmp_path, code=0)).splitlines()
        assert listed[0] == "derctl observes"
        assert "pv1: released before; a limit of 1,200 W stands" in listed and "--lift" in listed[-1]
        again = await call(b.app, "release")
        limit = {"p_ceiling_w": 1200.0, "p_target_w": None, "q_var": None, "seen": "read_back", "record": "left"}
        before = {"result": "released", "text": "released before", "stands_w": 1200.0, "standing": limit}
        assert (again["pv1"], (await call(b.app, "status"))["ders"]["pv1"]["standing"]) == (before, limit)
        lifted = await call(b.app, "release", {"lift": True})
        nothing = limit | {"p_ceiling_w": None, "record": "nothing"}
        assert lifted["pv1"] == {"result": "released", "text": "", "stands_w": 5000.0, "standing": nothing}
        left = await call(b.app, "release")
        assert {name: each["text"] for name, each in left.items()} == dict.fromkeys(
            ("pv2", "bat1"), "released before"
        )
        assert left["pv2"]["stands_w"] == 2000.0, "its fallback"
        assert "nothing is written in observe mode" in await derctl(b.app, "limit", "1000", "pv2")
        told = await derctl(b.app, "command", "limit_power", "p_ceiling_w=1", "--expires", "10m", "der=pv2")
        assert told.endswith(", but nothing is written in observe mode\n")
        shown = await derctl_shows(b.app, "arm")
        assert re.search(r"^pv1: limit [\d,]+ W.*; without derctl at most 5,000 W, after", shown, re.M)
        assert "say arm again within 120 s" in shown and not b.app.gate.arming.armed
        assert await derctl(b.app, "arm") == "armed\n", "the second word does it"
        await b.until(lambda: b.app.gate.open)
        page = await derctl(b.app, "status")
        assert re.match(r"demo   CONTROL, armed \d\d:\d\d( by \w+)?  ", page)
        await derctl(b.app, "disarm")
        assert re.match(r"demo   OBSERVE, disarmed \d\d:\d\d( by \w+)?  ", await derctl(b.app, "status"))
        at_once = (await derctl(b.app, "arm", "--yes")).splitlines()
        assert at_once[0].startswith("pv1: ") and at_once[-1] == "armed"


async def test_arm_is_refused_with_what_stands_against_it(bench: Any) -> None:
    async with bench(only_operators, observe=True) as b:
        assert "not_ready: the daemon runs with --observe" in await derctl(b.app, "arm", code=1)
