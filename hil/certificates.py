"""Certificates for a site behind TLS, made by the openssl program: an authority, a stranger, and whom they sign.

Modbus/TCP Security: a client's role stands in an extension of its certificate (MB-TCP-Security-v21).
"""

import shutil
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROLE_OID = "1.3.6.1.4.1.50316.802.1"
ROLE_DER = bytes.fromhex("060b2b0601040183890c862201")
"""The same as it stands in a certificate."""
CONFIG = """\
[ca]
default_ca = own
[own]
database = {by}.index
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A certificate: who signs it, what is in it, and from which day to which, counted from today."""

    by: str = "ca"
    lines: tuple[str, ...] = ()
    days: tuple[int, int] = (-1, 60)


SERVER = ("subjectAltName=IP:127.0.0.1", "extendedKeyUsage=serverAuth")
CLIENT = ("extendedKeyUsage=clientAuth",)


def _role(name: str) -> tuple[str, ...]:
    return (*CLIENT, f"{ROLE_OID}=ASN1:UTF8String:{name}")


WANTED: Mapping[str, Wanted] = {
    "server": Wanted(lines=SERVER),
    "server_expired": Wanted(lines=SERVER, days=(-30, -1)),
    "server_early": Wanted(lines=SERVER, days=(1, 30)),
    "server_elsewhere": Wanted(lines=("subjectAltName=DNS:inverter.example", "extendedKeyUsage=serverAuth")),
    "server_stranger": Wanted(by="stranger", lines=SERVER),
    "operator": Wanted(lines=_role("Operator")),
    "viewer": Wanted(lines=_role("Viewer")),
    "nobody": Wanted(lines=CLIENT),
    "client_expired": Wanted(lines=_role("Operator"), days=(-30, -1)),
    "client_ends_soon": Wanted(lines=_role("Operator"), days=(-1, 10)),
    "client_stranger": Wanted(by="stranger", lines=_role("Operator")),
}
RIGHTS: Mapping[str, frozenset[int]] = {"Operator": frozenset({3, 4, 6, 16}), "Viewer": frozenset({3, 4})}
"""Functions that a role may ask for; who has none may nothing."""


def program() -> str | None:
    """openssl, None where it is not installed."""
    return shutil.which("openssl")


def make(folder: Path) -> None:
    """NAME.pem and NAME.key of both authorities (ca, stranger) and of each of WANTED."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for by in ("ca", "stranger"):
        usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        names = ("-keyout", f"{by}.key", "-out", f"{by}.pem", "-subj", f"/CN={by}")
        _run(folder, "req", "-x509", *curve, *names, "-days", "90", *usage)
        (folder / f"{by}.index").touch()
        (folder / f"{by}.cnf").write_text(CONFIG.format(by=by), encoding="ascii")
    for name, wanted in WANTED.items():
        _run(folder, "req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / f"{name}.ext").write_text("\n".join((*wanted.lines, "")), encoding="ascii")
        signer = ("-config", f"{wanted.by}.cnf", "-cert", f"{wanted.by}.pem", "-keyfile", f"{wanted.by}.key")
        dates = ("-startdate", _day(wanted.days[0]), "-enddate", _day(wanted.days[1]))
        out = ("-in", f"{name}.csr", "-out", f"{name}.pem", "-outdir", ".", "-extfile", f"{name}.ext")
        _run(folder, "ca", "-batch", "-notext", *signer, *dates, *out)
    for path in folder.iterdir():
        path.chmod(0o600)


def _day(days: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y%m%d%H%M%SZ}"


def _run(folder: Path, *words: str) -> None:
    done = subprocess.run([program() or "openssl", *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {words[0]}: {done.stderr[-300:]}")


def server(folder: Path, name: str) -> ssl.SSLContext:
    """What an endpoint speaks TLS with: it shows the certificate of that name and wants one that ca signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(folder / "ca.pem")
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


def role_in(der: bytes) -> str:
    """The role in a client's certificate, "" where it has none: what stands behind the OID, in an OCTET STRING."""
    _, found, rest = der.partition(ROLE_DER)
    if not found:
        return ""
    rest = rest[3:] if rest[:1] == b"\x01" else rest  # critical
    length = rest[3]
    return rest[4 : 4 + length].decode() if rest[:1] == b"\x04" and rest[2:3] == b"\x0c" else ""


def may(der: bytes, function: int) -> bool:
    """Whether who came with that certificate may ask for the function."""
    return function in RIGHTS.get(role_in(der), frozenset())
