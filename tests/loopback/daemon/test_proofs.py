"""Control waits for a proof of each fail-safe, and begins where that is on record for the devices that answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from derctl.core.words import FallbackBy, Proven
from derctl.errors import CommandError
from derctl.links.local import ask
from derctl.store import proofs
from derctl.store.folder import Folder
from derctl.store.proofs import Proof

SERIALS = {"pv1": "1001", "pv2": "1002", "bat1": "1003"}


def demanding(site: dict[str, Any]) -> None:
    site["site"]["require_proof"] = True


async def test_an_unproven_site_is_observed_and_says_what_to_run(bench: Any) -> None:
    async with bench(demanding) as b:
        await b.ticks(5)
        socket = Path(b.app.control.site.file.site.socket)
        status = await ask(socket, "status")
        assert status["mode"] == "observe" and status["mode_reason"].startswith("unproven: ")
        assert "pv2" in status["mode_reason"] and "derctl verify" in status["mode_reason"]
        await ask(socket, "disarm")
        with pytest.raises(CommandError) as refused:
            await ask(socket, "arm")
        assert refused.value.code == "unproven"
        assert not any(b.writes(name) for name in SERIALS)


@pytest.mark.parametrize("serial", ["1002", "9999"], ids=["proven", "another device was"])
async def test_control_begins_where_each_is_on_record(bench: Any, tmp_path: Path, serial: str) -> None:
    given = {"pv1": (5000.0, 90.0), "pv2": (2000.0, 60.0), "bat1": (0.0, 75.0)}
    found = {
        name: Proof(
            verdict=Proven.PROVEN, serial=serial if name == "pv2" else SERIALS[name], firmware="1.0",
            by=FallbackBy.REVERSION, p_ceiling_w=ceiling_w, after_s=after_s,
        )
        for name, (ceiling_w, after_s) in given.items()
    }  # fmt: skip
    (tmp_path / "state").mkdir()
    await proofs.save(Folder(tmp_path / "state", tmp_path), found)
    async with bench(demanding) as b:
        if serial == SERIALS["pv2"]:
            await b.until(lambda: b.app.gate.open)
        else:
            await b.ticks(10)
            assert not b.app.gate.open and "not 1002" in (b.app.gate.arming.reason or "")
