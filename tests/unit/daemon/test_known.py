"""Which firmware of a device is relied on, and who took whose place: over looks, words and restarts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from derctl.core.words import Timer
from derctl.daemon.known import Known, Once, known_before, relied, relying_on, revived
from derctl.devices import Identity
from derctl.site import DerSection
from derctl.store.folder import Folder
from tests import make

SECTION = DerSection(id="pv1", bus="lan", unit=1, kind="sunspec_pv")


def seen(firmware: str, serial: str = "SN1", **given: Any) -> Once:
    return Once(
        serial=serial, rating=make.rating(p_max_w=5000.0), writable=True, timer=Timer.TARGET, model=704, keeps=(),
        identity=Identity(maker="Acme", model="One", serial=serial, firmware=firmware), **given,
    )  # fmt: skip


class Device:
    """Found under this firmware."""

    rating = make.rating(p_max_w=5000.0)

    def __init__(self, firmware: str, serial: str = "SN1") -> None:
        self.identity = Identity(maker="Acme", model="One", serial=serial, firmware=firmware)
        self.can = make.LIMITED
        self.reversion = type("Reversion", (), {"timer": Timer.TARGET, "model": 704})()

    def absent_w(self, fallback: Any) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("before", "told", "relied_on", "newer"),
    [
        (None, "1.0", "1.0", ""),  # found for the first time
        (seen("1.0"), "1.0", "1.0", ""),
        (seen("1.0"), "2.0", "1.0", "2.0"),
        (seen("1.0", newer="2.0"), "2.0", "1.0", "2.0"),
        (seen("1.0", newer="2.0"), "3.0", "1.0", "3.0"),
        (seen("1.0", newer="2.0"), "1.0", "1.0", ""),  # it went back
        (seen("1.0", newer="2.0"), "", "1.0", "2.0"),  # it doesn't tell now
        (seen("1.0", newer="2.0"), "?", "1.0", "2.0"),
        (seen(""), "2.0", "2.0", ""),  # of an older version's file nobody knows it
        (seen("1.0", serial="SN2"), "2.0", "2.0", ""),  # another device
    ],
)
def test_the_firmware_that_is_relied_on_stays_until_somebody_says_so(
    before: Once | None, told: str, relied_on: str, newer: str
) -> None:
    now = relied(before, seen(told))
    assert (now.identity.firmware, now.newer) == (relied_on, newer)


def test_one_alert_is_given_for_each_version_over_restarts_too() -> None:
    known = Known()
    for firmware in ("1.0", "2.0", "2.0", "", "2.0"):
        known.learn("pv1", Device(firmware))  # type: ignore[arg-type]
    assert [(name, "2.0" in text and "1.0" in text) for name, text in known.news] == [("pv1", True)]
    after = Known(revived(known.plain())[0])
    after.learn("pv1", Device("2.0"))  # type: ignore[arg-type]
    assert after.news == []
    assert after.due(SECTION) is not None
    after.learn("pv1", Device("3.0"))  # type: ignore[arg-type]
    assert len(after.news) == 1


def test_a_word_relies_on_it_and_can_be_taken_back() -> None:
    known = Known({"pv1": seen("1.0", newer="2.0"), "pv2": seen("1.0"), "pv3": seen("1.0", newer="1.5")})
    before = known.acknowledge("pv1")
    assert [*before] == ["pv1"]
    assert (known.of["pv1"].identity.firmware, known.of["pv1"].newer) == ("2.0", "")
    assert known.due(SECTION) is None
    known.of.update(before)
    assert known.due(SECTION) is not None
    assert [*known.acknowledge(None)] == ["pv1", "pv3"]
    assert known.acknowledge(None) == {}


def test_one_that_derctl_does_not_write_has_nothing_to_be_acknowledged() -> None:
    known = Known({"pv1": seen("1.0", newer="2.0")})
    for section in (
        DerSection(id="pv1", bus="lan", unit=1, kind="sunspec_pv", control=False),
        DerSection(id="pv1", bus="lan", unit=1, kind="sunspec_pv", serial="SN2"),
        DerSection(id="pv2", bus="lan", unit=1, kind="sunspec_pv"),
    ):
        assert known.due(section) is None


@pytest.mark.parametrize(
    ("serial", "heir", "counts"),
    [("SN1", "SN9", True), ("SN9", "SN9", True), (None, None, True), ("SN5", None, False)],
)
def test_the_one_that_took_its_place_counts_for_the_site_file_s_old_serial_and_for_its_own(
    serial: str | None, heir: str | None, counts: bool
) -> None:
    known = Known(revived(Known({"pv1": seen("1.0", serial="SN9", replaced="SN1")}).plain())[0])
    section = DerSection(id="pv1", bus="lan", unit=1, kind="sunspec_pv", serial=serial)
    assert known.heir(section) == heir
    assert (known.record(section) is not None) is counts
    known.learn("pv1", Device("1.0", "SN9"))  # type: ignore[arg-type]
    assert known.of["pv1"].replaced == "SN1", "another look does not forget it"


def test_one_that_was_not_replaced_has_no_heir() -> None:
    section = DerSection(id="pv1", bus="lan", unit=1, kind="sunspec_pv", serial="SN1")
    assert Known({"pv1": seen("1.0")}).heir(section) is None


def test_a_replacement_of_other_firmware_is_to_be_acknowledged() -> None:
    known = Known({"pv1": seen("1.0")})
    known.put("pv1", relying_on("1.0", replace(seen("2.0", serial="SN9"), replaced="SN1")))
    assert [name for name, _ in known.news] == ["pv1"]
    known.put("pv1", relying_on("1.0", seen("1.0", serial="SN9")))
    assert len(known.news) == 1


async def test_a_release_without_a_daemon_knows_who_took_whose_place(tmp_path: Path) -> None:
    section = DerSection(id="pv1", bus="lan", unit=1, kind="sunspec_pv", serial="SN1")
    folder = Folder(tmp_path, tmp_path)
    assert known_before(folder).heir(section) is None
    plain = Known({"pv1": seen("1.0", serial="SN9", replaced="SN1")}).plain()
    await folder.replace("state.json", msgspec.json.encode({"version": 5, "known": plain}))
    assert known_before(folder).heir(section) == "SN9"
    for broken in (b"{", b'{"known": 3}'):
        (tmp_path / "state.json").write_bytes(broken)
        (tmp_path / "state.json.copy").unlink(missing_ok=True)
        assert known_before(folder).of == {}
