"""`verify` and `identify` inside a daemon that observes: beside its ticks, not beside control, and given back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from derctl.cli.late import SESSIONS
from derctl.core.words import Mode, Proven
from derctl.errors import CommandError
from derctl.links.local import ask
from derctl.links.talk import follow

SERIALS = {"pv1": "1001", "pv2": "1002", "bat1": "1003"}
SOON_S = 5.0


def soon(site: dict[str, Any]) -> None:
    """Observed, with timers that are soon over; a proof is demanded."""
    site["site"] |= {"require_proof": True, "mode": "observe"}
    for der in site["ders"]:
        der["fallback"]["after_s"] = SOON_S


class Client:
    """Of a call that goes on. told: once this was said."""

    def __init__(self, socket: Path, waits_for: str = "") -> None:
        self.socket, self.waits_for = socket, waits_for
        self.heard: list[str] = []
        self.over, self.told = asyncio.Event(), asyncio.Event()

    async def hear(self, event: Mapping[str, Any]) -> bool | None:
        self.heard.append(event.get("text", ""))
        if self.waits_for in self.heard[-1]:
            self.told.set()
        return True if event.get("asks") else None

    async def call(self, name: str, **args: Any) -> Any:
        async with asyncio.timeout(60.0):
            return await follow(self.socket, name, args, self.hear, self.over)


def socket_of(b: Any) -> Path:
    return Path(b.app.control.site.file.site.socket)


def given_back(b: Any) -> bool:
    return not b.app.control.releaser.inventory.wrote()


async def test_a_daemon_that_observes_proves_a_fail_safe_beside_its_ticks(bench: Any) -> None:
    async with bench(soon, sessions=SESSIONS) as b:
        ticks, client = b.app.control.loop.ticks, Client(socket_of(b))
        found = await client.call("verify", ders=["pv2"], second=True)
        pv2 = found["ders"]["pv2"]
        assert (pv2["verdict"], pv2["went_w"], pv2["beside"]) == ("proven", 2000.0, "lets_go")
        assert found["waits_for"] == ["pv1", "bat1"] and any("go on?" in text for text in client.heard)
        assert b.app.control.absent.known.proofs["pv2"].verdict is Proven.PROVEN, "it counts at once"
        assert b.app.control.loop.ticks > ticks + 10, "the tick went on"
        assert given_back(b) and not b.writes("pv1") and not b.writes("bat1"), "only what was asked for is written"
        status = await ask(socket_of(b), "status")
        assert [each["event"] for each in status["events"] if "trial" in each["event"]] == [
            "trial_began",
            "trial_ended",
        ]
        assert not any(
            each["event"] in {"device_unreachable", "limit_found", "override"} for each in status["events"]
        )


async def test_control_waits_for_its_end_and_a_disarm_ends_it(bench: Any) -> None:
    async with bench(soon, sessions=SESSIONS) as b:
        client = Client(socket_of(b), "nothing more from now on")
        call = asyncio.create_task(client.call("verify", ders=["pv1"], yes=True))
        await client.told.wait()
        for name in ("arm", "reload"):
            with pytest.raises(CommandError, match="under way"):
                await ask(socket_of(b), name)
        with pytest.raises(CommandError, match="under way"):
            await Client(socket_of(b)).call("identify")
        assert (await ask(socket_of(b), "status"))["mode_reason"] is not None
        await ask(socket_of(b), "disarm", seconds=60.0)
        with pytest.raises(CommandError) as ended:
            await call
        assert ended.value.code == "ended" and given_back(b)
        assert any(text.startswith("given back: pv1: released") for text in client.heard)


async def test_a_client_that_is_killed_and_a_daemon_that_stops_leave_nothing_behind(bench: Any) -> None:
    async with bench(soon, sessions=SESSIONS) as b:
        for ends in ("client", "daemon"):
            client = Client(socket_of(b), "nothing more from now on")
            call = asyncio.create_task(client.call("verify", ders=["pv1"], yes=True))
            await client.told.wait()
            assert not given_back(b)
            if ends == "client":
                call.cancel()
            else:
                b.app.stop()
            await asyncio.gather(call, return_exceptions=True)
            if ends == "client":
                await b.until(lambda: given_back(b) and not b.app.gate.trial)
        await asyncio.wait_for(b.running, 60.0)
        assert given_back(b)


async def test_in_control_it_is_refused_with_what_to_do(bench: Any) -> None:
    async with bench(sessions=SESSIONS) as b:
        await b.until(lambda: b.app.gate.arming.mode is Mode.CONTROL)
        for name in SESSIONS:
            with pytest.raises(CommandError, match="derctl disarm"):
                await Client(socket_of(b)).call(name)
        with pytest.raises(CommandError, match="known are"):
            await ask(socket_of(b), "nonsense")


async def test_a_daemon_that_only_looks_writes_nothing(bench: Any) -> None:
    async with bench(soon, observe=True, sessions=SESSIONS) as b:
        with pytest.raises(CommandError, match="--observe"):
            await Client(socket_of(b)).call("verify", yes=True)
        assert not any(b.writes(each) for each in ("pv1", "pv2", "bat1"))
