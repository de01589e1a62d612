"""`derctl status` and `derctl command` as an installer types them, against a daemon that runs."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any


def no_broker(site: dict[str, Any]) -> None:
    site["mqtt"] = {"host": "127.0.0.1", "port": 1}


def only_operators(site: dict[str, Any]) -> None:
    """Else a meter that is not proven yet has a say."""
    site["functions"] = [{"kind": "operator_limit"}]


async def derctl(app: Any, *words: str) -> str:
    """The command line as a process of its own; its output, once it ended with 0."""
    place = ("--socket", str(app.site.file.site.socket))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "derctl", *words, *place),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b""), err.decode()
    return out.decode()


async def test_the_page_says_what_the_json_says(bench: Any) -> None:
    async with bench(no_broker) as b:
        await b.until(lambda: b.app.gate.open)
        await b.ticks(10)
        state = json.loads(await derctl(b.app, "status", "--json"))
        page = await derctl(b.app, "status")
    assert page.splitlines()[0] == f"{state['site']}  control"
    assert set(state["ders"]) == {"pv1", "pv2", "bat1"}
    for name, der in state["ders"].items():
        line = next(line for line in page.splitlines() if line.startswith(name))
        assert der["state"] in line
    assert re.search(r"^point of connection: (export|import) [\d,]+ W, \d\.\d{3} pu, 50\.\d\d Hz$", page, re.M)
    absent = state["absent"]
    assert f"without derctl at most {absent['p_export_w']:,.0f} W of {absent['limit_w']:,.0f} W, keeps the" in page
    assert re.search(r"^broker: .*(refused|not connected).* \(MQTT 5\)$", page, re.M)


async def test_the_page_names_who_bound_a_setpoint(bench: Any) -> None:
    async with bench(only_operators) as b:
        await b.until(lambda: b.app.gate.open)
        said = await derctl(b.app, "command", "limit_power", "der=pv1", "p_ceiling_w=1234", "expires_s=60")
        assert re.fullmatch(r"admitted: until \d{4}-.*Z\n", said)
        await b.until(lambda: b.writers["pv1"].outcome.desired.p_ceiling_w == 1234.0)
        page = (await derctl(b.app, "status")).splitlines()
    at = next(i for i, line in enumerate(page) if line.startswith("pv1"))
    assert re.search(r" 1,234 ", page[at])
    assert page[at + 1].strip() == "operator_limit 1,234"
