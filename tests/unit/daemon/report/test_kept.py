"""The ledger and the audit log in `status`: what is on disk, what is owed, and what is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from derctl.daemon.auditing import Auditing
from derctl.daemon.checking import Checking
from derctl.daemon.clock import Clock
from derctl.daemon.report.kept import kept
from derctl.store.folder import Folder
from tests.unit.daemon.test_keeping import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def shown(house: House, *, broker: bool = True) -> dict[str, dict[str, object]]:
    folder = Folder(house.keeping.folder.path, house.keeping.folder.path)
    audit, clock = Auditing(folder, Clock("assume")), Clock("assume")
    return kept(house.keeping, audit, Checking(folder, clock, lambda *said: None), broker=broker)


async def test_of_a_site_that_begins_there_is_nothing(house: House) -> None:
    ledger, audit = shown(house)["ledger"], shown(house)["audit"]
    assert (ledger["records"], ledger["waiting"], ledger["last"]) == (0, 0, None)
    assert (audit["records"], audit["chain"], audit["checked"]) == (0, "unchecked", None)


async def test_what_the_broker_has_not_waits(house: House) -> None:
    await house.keeping.begin()
    await house.run(1200.0)
    ledger = shown(house)["ledger"]
    count = house.keeping.file.head.n
    assert count > 0 and (ledger["records"], ledger["waiting"]) == (count, count)
    house.keeping.file.sent = count - 2
    assert shown(house)["ledger"]["waiting"] == 2
    assert shown(house, broker=False)["ledger"]["waiting"] is None
    last = ledger["last"]
    assert isinstance(last, dict) and last["import_wh"] == pytest.approx(2000.0 / 60.0, abs=2.0)


async def test_what_is_not_on_disk_is_counted(house: House) -> None:
    await house.keeping.begin()
    house.keeping.pending = [{"n": 1}]
    house.keeping.failed(OSError(28, "No space left on device"))
    ledger = shown(house)["ledger"]
    assert ledger["unsaved"] == 1 and "No space left" in str(ledger["problem"])
