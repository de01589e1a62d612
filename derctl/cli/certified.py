"""The certificates that derctl comes with to devices behind TLS, for `check` and `scan`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import UNSET

from derctl.core.text import device_text
from derctl.links.certificate import Certificate, certificate_in
from derctl.site import Site


def certificate_at(path: str) -> Certificate | None:
    """None where there is none that can be read: why is said elsewhere."""
    try:
        return certificate_in(Path(path).read_text("ascii"))
    except (OSError, ValueError):
        return None


def certificates_of(site: Site) -> dict[str, Certificate]:
    """By bus, those that can be read."""
    found = {bus.id: certificate_at(bus.tls.cert_file) for bus in site.file.buses if bus.tls is not UNSET}
    return {bus: known for bus, known in found.items() if known is not None}


def role_text(known: Certificate) -> str:
    """What a device gives rights to."""
    if known.role is None:
        return "our certificate has no role: a device that asks for one refuses each request (exception 1)"
    return f"our role is {device_text(known.role)}"


def certificates_text(site: Site) -> list[str]:
    """For people, a line for each bus behind TLS."""
    return [
        f"bus {bus} over TLS: {role_text(known)}; it counts until {known.not_after:%Y-%m-%d}"
        for bus, known in certificates_of(site).items()
    ]


def certificates(site: Site) -> dict[str, Any]:
    """For programs."""
    return {
        bus: {
            "role": known.role,
            "not_before": f"{known.not_before:%Y-%m-%dT%H:%M:%SZ}",
            "not_after": f"{known.not_after:%Y-%m-%dT%H:%M:%SZ}",
        }
        for bus, known in certificates_of(site).items()
    }
