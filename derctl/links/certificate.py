"""What a certificate says of its owner (X.509v3, RFC 5280): how long it counts, and the role that Modbus/TCP Security
gives it (MB-TCP-Security-v21, RoleOID). Pure."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

from derctl.core.dataclass import dataclass

ROLE_OID = "1.3.6.1.4.1.50316.802.1"
PEM_BEGIN, PEM_END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
UTF8, UTC_TIME, VERSION, EXTENSIONS = 0x0C, 0x17, 0xA0, 0xA3
"""Tags (X.680, 8; RFC 5280, 4.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """role: None where it has none."""

    not_before: datetime
    not_after: datetime
    role: str | None


def certificate_in(pem: str) -> Certificate:
    """The first one of a file, which is its owner's. Raises ValueError where there is none."""
    begin = pem.find(PEM_BEGIN)
    end = pem.find(PEM_END, begin)
    if begin < 0 or end < 0:
        raise ValueError("no certificate in it")
    return certificate_of(ssl.PEM_cert_to_DER_cert(pem[begin : end + len(PEM_END)]))


def certificate_of(der: bytes) -> Certificate:
    """Raises ValueError for what is none."""
    try:
        (_, whole), *_ = parts(der)
        (_, body), *_ = parts(whole)
        fields = [field for field in parts(body) if field[0] != VERSION]
        not_before, not_after = (_moment(tag, text) for tag, text in parts(fields[3][1]))
        return Certificate(not_before=not_before, not_after=not_after, role=_role(fields[5:]))
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError("no certificate: it ends too early") from error


def _role(fields: list[tuple[int, bytes]]) -> str | None:
    for tag, content in fields:
        if tag == EXTENSIONS:
            for _, extension in parts(parts(content)[0][1]):
                (_, oid), *_, (_, inner) = parts(extension)
                if oid == encoded(ROLE_OID):
                    return next((text.decode() for kind, text in parts(inner) if kind == UTF8), None)
    return None


def parts(content: bytes) -> list[tuple[int, bytes]]:
    """The values that stand there one after the other, each with its tag (X.690, 8.1). Raises ValueError."""
    found, at = [], 0
    while at < len(content):
        tag, length, at = content[at], content[at + 1], at + 2
        if length & 0x80:
            more = length & 0x7F
            length, at = int.from_bytes(content[at : at + more]), at + more
        if at + length > len(content):
            raise ValueError("no certificate: it ends too early")
        found.append((tag, content[at : at + length]))
        at += length
    return found


def encoded(oid: str) -> bytes:
    """X.690, 8.19."""
    first, second, *rest = map(int, oid.split("."))
    return bytes((first * 40 + second,)) + b"".join(map(_base_128, rest))


def _base_128(number: int) -> bytes:
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(0x80 | number & 0x7F)
    return bytes(reversed(digits))


def _moment(tag: int, text: bytes) -> datetime:
    """Two digits of a year are 1950 to 2049 (RFC 5280, 4.1.2.5.1)."""
    digits = text.decode("ascii")
    if tag == UTC_TIME:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
