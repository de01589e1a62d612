"""Whose fail-safe is on record, as the site file demands it for control. Pure."""

from __future__ import annotations

from derctl.core.text import serial_text
from derctl.core.words import Proven
from derctl.daemon.known import Known
from derctl.devices import Device
from derctl.site import DerSection
from derctl.site.absence import attested
from derctl.site.schema import SiteFile
from derctl.store.proofs import Proof

UNSEEN = "its limit is kept in the device, and nobody is on record who saw it there"


def unproven_text(file: SiteFile, known: Known) -> str:
    """Who lacks a proof that counts, why, and what to do; "": nobody, or none is demanded."""
    if not file.site.require_proof:
        return ""
    lacking = {der.id: why for der in file.ders if der.control and (why := why_not(der, known)) is not None}
    if not lacking:
        return ""
    reasons = "; ".join(f"{name}: {why}" for name, why in lacking.items())
    names = next(iter(lacking)) if len(lacking) == 1 else ""
    seen = " --witnessed NAME" if any(attested(der) for der in file.ders if der.id in lacking) else ""
    verb = f"derctl verify {names}".rstrip() + seen
    return f"{reasons}. Run `{verb}`, or write require_proof: false into the site file"


def why_not(section: DerSection, known: Known) -> str | None:
    """Why no proof counts for this DER, in words; None: one does, or nothing is ever written to it."""
    proof, record = known.proofs.get(section.id), known.record(section)
    if record is not None and not record.writable:
        return None
    if proof is None:
        return UNSEEN if attested(section) else "its fail-safe was never verified"
    if record is None:
        return _itself(section, proof) or "it was not found yet"
    return _itself(section, proof) or _another(proof, record.serial, record.newer or record.identity.firmware)


def counts(section: DerSection, proof: Proof | None, device: Device | None) -> bool:
    """Whether this proof is one of the device that answers now, as it is declared now."""
    if proof is None or device is None:
        return False
    who = device.identity
    return (_itself(section, proof) or _another(proof, serial_text(who.serial), who.firmware)) is None


def _itself(section: DerSection, proof: Proof) -> str | None:
    if proof.verdict is not (Proven.WITNESSED if attested(section) else Proven.PROVEN):
        return f"its fail-safe is {proof.verdict}: {proof.text}"
    return _declared_otherwise(section, proof)


def _declared_otherwise(section: DerSection, proof: Proof) -> str | None:
    now, then = section.fallback, (proof.by, proof.p_ceiling_w, proof.after_s)
    if then != (now.by, now.p_ceiling_w, now.after_s):
        return "its fallback is declared otherwise than when it was verified"
    if section.profile not in {None, proof.profile}:
        return f"it was verified with profile {proof.profile}, not {section.profile}"
    return None


def _another(proof: Proof, serial: str, firmware: str) -> str | None:
    if serial != proof.serial:
        return f"serial {proof.serial or 'none'} was verified, not {serial or 'one without'}"
    if firmware != proof.firmware:
        return f"it was verified with firmware {proof.firmware or 'unknown'}, and has {firmware or 'unknown'} now"
    return None
