"""Whose fail-safe is on record: by serial, firmware, profile and declaration; and what is refused without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec import structs

from derctl.core.words import FallbackBy, Proven, Refusal
from derctl.daemon.arming import Arm, Arming, Said, seen, told
from derctl.daemon.known import Known
from derctl.daemon.proofs import counts, unproven_text, why_not
from derctl.devices import Device, Identity
from derctl.site import DerSection
from derctl.site.absence import Absence
from derctl.site.schema import FallbackSection, SiteFile, SiteSection
from derctl.store import proofs
from derctl.store.folder import Folder
from derctl.store.proofs import Proof
from derctl.store.sealed import copy_of
from tests.unit.daemon.test_known import seen as once

SECTION = DerSection(id="pv1", bus="lan", unit=1, kind="sunspec_pv", fallback=FallbackSection(p_ceiling_w=2000.0))
PROOF = Proof(
    verdict=Proven.PROVEN, serial="SN1", firmware="1.0", by=FallbackBy.REVERSION, p_ceiling_w=2000.0, after_s=60.0,
    at="2026-01-01T12:00:00Z", profile="generic", lapsed_s=60.4, went_w=2000.0, text="it went to 2,000 W after 60 s",
)  # fmt: skip

WITNESSED = structs.replace(
    PROOF, verdict=Proven.WITNESSED, by=FallbackBy.DEVICE, text="Ann saw 2,000 W in the device"
)


def site(*ders: DerSection, require_proof: bool = True) -> SiteFile:
    section = SiteSection(id="house", v_nom_v=230.0, f_nom_hz=50, require_proof=require_proof)
    return SiteFile(version=1, site=section, buses=[], ders=list(ders))


def of(section: DerSection = SECTION, **fallback: Any) -> DerSection:
    return structs.replace(section, fallback=structs.replace(section.fallback, **fallback))


@pytest.mark.parametrize(
    ("section", "proof", "record", "why"),
    [
        (SECTION, PROOF, once("1.0"), None),
        (SECTION, None, once("1.0"), "never verified"),
        (SECTION, None, None, "never verified"),
        (SECTION, PROOF, None, "not found yet"),
        (SECTION, PROOF, once("1.1"), "firmware 1.0"),
        (SECTION, PROOF, once("1.0", newer="1.1"), "has 1.1 now"),
        (SECTION, structs.replace(PROOF, firmware="1.1"), once("1.0", newer="1.1"), None),
        (SECTION, PROOF, once("1.0", serial="SN2"), "not SN2"),
        (structs.replace(SECTION, serial="SN2"), PROOF, once("1.0"), "not found yet"),
        (of(p_ceiling_w=1500.0), PROOF, once("1.0"), "declared otherwise"),
        (of(p_ceiling_w=None), PROOF, once("1.0"), "declared otherwise"),
        (of(after_s=61.0), PROOF, once("1.0"), "declared otherwise"),
        (of(by="stands"), PROOF, once("1.0"), "declared otherwise"),
        (structs.replace(SECTION, profile="fronius"), PROOF, once("1.0"), "profile generic"),
        (structs.replace(SECTION, profile="generic"), PROOF, once("1.0"), None),
        (SECTION, None, replace(once("1.0"), writable=False), None),  # derctl can only read it
        *((SECTION, structs.replace(PROOF, verdict=each), once("1.0"), each) for each in Proven if each != "proven"),
        (of(by="device"), None, once("1.0"), "nobody is on record who saw it there"),
        (of(by="device"), structs.replace(PROOF, by=FallbackBy.DEVICE), once("1.0"), "its fail-safe is proven"),
        (of(by="device"), WITNESSED, once("1.0"), None),
        (of(by="device"), WITNESSED, once("1.1"), "firmware 1.0"),
        (of(by="device", p_ceiling_w=9.0), WITNESSED, once("1.0"), "declared otherwise"),
    ],
)  # fmt: skip
def test_a_proof_counts_for_the_very_device_and_declaration_that_it_was_made_with(
    section: DerSection, proof: Proof | None, record: Any, why: str | None
) -> None:
    known = Known({} if record is None else {"pv1": record}, {} if proof is None else {"pv1": proof})
    found = why_not(section, known)
    assert (found is None) is (why is None) and (why or "") in (found or "")
    text = unproven_text(site(section), known)
    assert (text == "") is (why is None)
    if why is not None:
        verb = "`derctl verify pv1 --witnessed NAME`" if section.fallback.by == "device" else "`derctl verify pv1`"
        assert "pv1" in text and verb in text and "require_proof: false" in text
    assert unproven_text(site(section, require_proof=False), known) == "", "the site file says no in so many words"


@pytest.mark.parametrize("by", ["reversion", "device"])
def test_what_derctl_does_not_write_needs_no_proof(by: str) -> None:
    assert unproven_text(site(structs.replace(of(by=by), control=False)), Known()) == ""


def test_all_that_lack_one_are_named() -> None:
    text = unproven_text(site(SECTION, structs.replace(SECTION, id="pv2")), Known())
    assert "pv1: " in text and "pv2: " in text and "`derctl verify`" in text


def test_the_schema_demands_it_where_a_file_says_nothing() -> None:
    assert SiteSection(id="house", v_nom_v=230.0, f_nom_hz=50).require_proof


UNPROVEN, WITHOUT = Absence(unproven="pv1: its fail-safe was never verified"), Absence()


@pytest.mark.parametrize("resumed", [False, True])
def test_control_does_not_begin_unproven_not_even_where_it_was_before_a_restart(resumed: bool) -> None:
    arming = seen(told(Arming(), Said.ARM), UNPROVEN, resumed=resumed)
    assert arming.state is Arm.HELD and not arming.open
    assert arming.reason == f"{Refusal.UNPROVEN}: {UNPROVEN.unproven}"
    assert seen(arming, WITHOUT).open, "it begins once it is on record"


def test_control_that_has_begun_goes_on_where_a_proof_lapses() -> None:
    arming = seen(seen(told(Arming(), Said.ARM), WITHOUT), UNPROVEN)
    assert arming.open, "to let go would be just what it was lost for"


async def test_what_was_found_survives(tmp_path: Path) -> None:
    folder = Folder(tmp_path, tmp_path)
    assert proofs.load(folder) == ({}, None)
    await proofs.save(folder, {"pv1": PROOF})
    assert proofs.load(Folder(tmp_path, tmp_path)) == ({"pv1": PROOF}, None)


async def test_what_is_not_as_it_was_saved_proves_nothing_unless_its_copy_does(tmp_path: Path) -> None:
    folder = Folder(tmp_path, tmp_path)
    await proofs.save(folder, {"pv1": structs.replace(PROOF, verdict=Proven.FAILED)})
    path = tmp_path / proofs.FILE
    path.write_bytes(path.read_bytes().replace(b'"failed"', b'"proven"'))
    found, problem = proofs.load(folder)
    assert found["pv1"].verdict is Proven.FAILED and "checksum" in (problem or "")
    (tmp_path / copy_of(proofs.FILE)).unlink()
    found, problem = proofs.load(folder)
    assert found == {} and "no fail-safe counts as proven" in (problem or "")


async def test_a_file_that_somebody_wrote_by_hand_proves_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path, tmp_path)
    (tmp_path / proofs.FILE).write_text("{}")
    found, problem = proofs.load(folder)
    assert found == {} and "no checksum" in (problem or "")


@pytest.mark.parametrize(
    ("section", "proof", "serial", "firmware", "counted"),
    [
        (SECTION, PROOF, "SN1", "1.0", True),
        (SECTION, None, "SN1", "1.0", False),
        (SECTION, PROOF, "SN2", "1.0", False),
        (SECTION, PROOF, "SN1", "1.1", False),
        (of(p_ceiling_w=1000.0), PROOF, "SN1", "1.0", False),
        (SECTION, structs.replace(PROOF, verdict=Proven.FAILED), "SN1", "1.0", False),
        (of(by="device"), WITNESSED, "SN1", "1.0", True),
    ],
)
def test_a_proof_counts_for_the_device_that_answers_as_it_is_declared(
    section: DerSection, proof: Proof | None, serial: str, firmware: str, counted: bool
) -> None:
    device = cast("Device", SimpleNamespace(identity=Identity(serial=serial, firmware=firmware)))
    assert counts(section, proof, device) is counted
    assert not counts(section, proof, None), "who does not answer is not known"
