"""Modbus/TCP Security against a server that packs its own frames, with certificates made by the openssl program."""

from __future__ import annotations

import asyncio
import shutil
import signal
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import pytest

from derctl.core.exchange import Read, Write
from derctl.errors import BusClosed, DeviceRefused, RoleRefused
from derctl.links.certificate import certificate_in
from derctl.links.keys import Keys
from derctl.links.wires.tls import PymodbusTls
from hil import certificates

HEADER = struct.Struct(">HHHB")


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("papers")
    certificates.make(folder)
    locking = ("pkey", "-in", "operator.key", "-out", "locked.key", "-aes128", "-passout", "pass:word")
    subprocess.run(["openssl", *locking], cwd=folder, check=True, capture_output=True)
    return folder


@dataclass
class Device:
    """Answers reads with the address in each register, and refuses writes with `refusal`."""

    context: ssl.SSLContext | None
    refusal: int = 1
    mute: bool = False
    greets: bytes = b""
    port: int = 0
    versions: list[str | None] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    server: asyncio.Server | None = None
    ends: list[asyncio.StreamWriter] = field(default_factory=list)

    async def listen(self) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ends.append(writer)
        writer.write(self.greets)
        session = writer.get_extra_info("ssl_object")
        if session is not None:
            self.versions.append(session.version())
            self.roles.append(certificates.role_in(session.getpeercert(binary_form=True) or b""))
        try:
            while not self.mute:
                tid, _, length, unit = HEADER.unpack(await reader.readexactly(7))
                pdu = await reader.readexactly(length - 1)
                address, count = struct.unpack_from(">HH", pdu, 1)
                answer = bytes((pdu[0] | 0x80, self.refusal))
                if pdu[0] == 3:
                    answer = struct.pack(f">BB{count}H", 3, 2 * count, *range(address, address + count))
                writer.write(HEADER.pack(tid, 0, len(answer) + 1, unit) + answer)
            await reader.read()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def stop(self) -> None:
        assert self.server is not None
        self.server.close()
        for writer in self.ends:
            writer.transport.abort()


Serve = Callable[..., Any]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    made: list[Device] = []

    async def listening(context: ssl.SSLContext | None, **given: Any) -> Device:
        made.append(Device(context, **given))
        await made[-1].listen()
        return made[-1]

    yield listening
    for device in made:
        await device.stop()
    await asyncio.sleep(0)


def keys(papers: Path, name: str | None = "operator", ca: str = "ca") -> Keys:
    if name is None:
        return Keys(section="tls", ca_file=str(papers / f"{ca}.pem"))
    cert, key = str(papers / f"{name}.pem"), str(papers / f"{name}.key")
    return Keys(section="tls", ca_file=str(papers / f"{ca}.pem"), cert_file=cert, key_file=key)


def wire(device: Device, using: Keys, **given: Any) -> PymodbusTls:
    return PymodbusTls("127.0.0.1", device.port, using, **given)


async def told(wire: PymodbusTls) -> tuple[str, str]:
    """Why nothing comes through: at once, or with the first request (TLS 1.3 lets a server refuse after the
    handshake)."""
    with pytest.raises(BusClosed) as refused:
        try:
            await wire.connect(lambda error: None)
            await wire.request(1, Read(address=7, count=2))
        finally:
            wire.close()
    return str(refused.value).removeprefix(f"{wire.where}: "), refused.value.hint


async def test_registers_come_over_tls_with_the_role_of_our_certificate(serve: Serve, papers: Path) -> None:
    device = await serve(certificates.server(papers, "server"))
    over = wire(device, keys(papers))
    await over.connect(lambda error: None)
    assert list(await over.request(1, Read(address=7, count=2))) == [7, 8]
    over.close()
    assert (device.roles, device.versions) == (["Operator"], ["TLSv1.3"])


async def test_tls_1_2_is_spoken_too(serve: Serve, papers: Path) -> None:
    context = certificates.server(papers, "server")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    device = await serve(context)
    over = wire(device, keys(papers))
    await over.connect(lambda error: None)
    assert list(await over.request(1, Read(address=7, count=2))) == [7, 8]
    over.close()
    assert device.versions == ["TLSv1.2"]


@pytest.mark.parametrize(
    ("shown", "says", "do"),
    [
        ("server_expired", "certificate has expired, as the clock here says 20", "a new certificate"),
        ("server_early", "certificate is not valid yet, and the clock here says 20", "is this clock set?"),
        ("server_stranger", "is not signed by who stands in ca_file", "is it the right device"),
        ("server_elsewhere", "is for another name than 127.0.0.1", "as server_name"),
        ("viewer", "is not for servers", "another certificate"),
    ],
)
async def test_a_device_that_cannot_be_trusted_is_asked_for_nothing(
    serve: Serve, papers: Path, shown: str, says: str, do: str
) -> None:
    device = await serve(certificates.server(papers, shown))
    over = wire(device, keys(papers))
    with pytest.raises(BusClosed) as refused:
        await over.connect(lambda error: None)
    assert refused.value.distrust
    text, hint = await told(over)
    assert says in text and do in hint
    assert not device.roles, "no session came about"


async def test_another_name_in_the_certificate_is_taken_where_the_site_file_says_it(
    serve: Serve, papers: Path
) -> None:
    device = await serve(certificates.server(papers, "server_elsewhere"))
    over = wire(device, keys(papers), server_name="inverter.example")
    await over.connect(lambda error: None)
    assert list(await over.request(1, Read(address=7, count=1))) == [7]
    over.close()
    text, _ = await told(wire(device, keys(papers), server_name="inverter.other"))
    assert text == "the device's certificate is for another name than inverter.other"


async def test_a_clock_that_begins_in_1970_is_named_as_the_cause(serve: Serve, papers: Path) -> None:
    """OpenSSL takes the system's clock: the certificate of tomorrow stands for one that is seen from 1970."""
    device = await serve(certificates.server(papers, "server_early"))
    text, hint = await told(wire(device, keys(papers), wall=lambda: 60.0))
    assert text == "the device's certificate is not valid yet, and the clock here says 1970-01-01 00:01 UTC"
    assert hint.startswith("is this clock set? Without a battery it begins in 1970 after a power cut")


@dataclass
class Refusing:
    """OpenSSL's own server: asyncio's ends a session without the alert that says why."""

    process: subprocess.Popen[str]
    port: int

    def stands_still(self) -> None:
        self.process.send_signal(signal.SIGSTOP)


@pytest.fixture
def refusing(papers: Path) -> Iterator[Callable[..., Refusing]]:
    running: list[subprocess.Popen[str]] = []

    def start(*options: str) -> Refusing:
        own = ("-accept", "127.0.0.1:0", "-cert", "server.pem", "-key", "server.key", "-CAfile", "ca.pem")
        words = ["openssl", "s_server", *own, "-Verify", "2", "-verify_return_error", *options]
        running.append(subprocess.Popen(words, cwd=papers, stdout=PIPE, stderr=DEVNULL, stdin=PIPE, text=True))
        assert running[-1].stdout is not None
        line = next(line for line in running[-1].stdout if line.startswith("ACCEPT"))
        return Refusing(running[-1], int(line.rpartition(":")[2]))

    yield start
    for process in running:
        process.kill()
        process.communicate()


def at(port: int, using: Keys) -> PymodbusTls:
    return PymodbusTls("127.0.0.1", port, using)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("client_expired", "the device says that our certificate has expired"),
        ("client_stranger", "the device does not know who signed our certificate"),
        (None, "the device wants a certificate of ours, and got none that it takes"),
        ("server", "the device refuses our certificate (unsupported certificate)"),
    ],
)
async def test_a_device_that_refuses_our_certificate_is_heard(
    refusing: Callable[..., Refusing], papers: Path, name: str | None, says: str, version: str
) -> None:
    text, hint = await told(at(refusing(version).port, keys(papers, name)))
    if name is None and version == "-tls1_2":  # TLS 1.2 has no alert of its own for it
        says = "the device refuses our certificate (handshake failure)"
    assert text == says
    assert hint


def established(port: int) -> list[str]:
    """Connections of this machine to that port (proc(5), /proc/net/tcp; state 01)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[2].endswith(f":{port:04X}") and row[3] == "01"]


async def test_a_connection_ends_at_once_where_the_device_says_no_farewell(
    refusing: Callable[..., Refusing], papers: Path
) -> None:
    device = refusing("-tls1_3")
    over = at(device.port, keys(papers))
    await over.connect(lambda error: None)
    assert established(device.port)
    device.stands_still()
    over.close()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not established(device.port)


async def test_nothing_older_than_tls_1_2_is_spoken(refusing: Callable[..., Refusing], papers: Path) -> None:
    port = refusing("-tls1_1", "-cipher", "ALL:@SECLEVEL=0").port
    text, hint = await told(at(port, keys(papers)))
    assert text == "the device has no TLS 1.2 or newer"
    assert hint == "derctl takes nothing older: is there newer firmware for it?"


async def test_a_port_without_tls_is_told_from_a_device_that_distrusts_us(serve: Serve, papers: Path) -> None:
    port = "Modbus/TCP Security is usually on port 802; 502 is without TLS (a bus with tcp)"
    device = await serve(None)
    text, hint = await told(wire(device, keys(papers)))
    assert (text, port in hint) == ("connected, but ended before TLS was agreed", True)


async def test_what_answers_in_another_way_is_told_too(serve: Serve, papers: Path) -> None:
    device = await serve(None, greets=b"HTTP/1.1 400 Bad Request\r\n\r\n")
    text, hint = await told(wire(device, keys(papers)))
    assert (text, "usually on port 802" in hint) == ("what answers there does not speak TLS", True)


async def test_a_port_that_says_nothing_is_given_up_in_time(
    serve: Serve, papers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derctl.links.wires.tls.HANDSHAKE_S", 0.3)
    device = await serve(None, mute=True)
    text, hint = await told(wire(device, keys(papers)))
    assert (text, "usually on port 802" in hint) == ("connected, but no answer to TLS", True)


async def test_a_role_without_the_right_is_told_apart_from_what_a_device_cannot_do(
    serve: Serve, papers: Path
) -> None:
    device = await serve(certificates.server(papers, "server"))
    over = wire(device, keys(papers, "viewer"))
    await over.connect(lambda error: None)
    with pytest.raises(RoleRefused) as refused:
        await over.request(1, Write(address=40232, values=(1,)))
    text = "exception 1 (illegal function, or the role Viewer may not) to function 16 at 40232 x 1"
    assert (str(refused.value), refused.value.code, refused.value.role) == (text, 1, "Viewer")
    device.refusal = 2
    with pytest.raises(DeviceRefused) as other:
        await over.request(1, Write(address=40232, values=(1,)))
    assert str(other.value) == "exception 2 (illegal address) to function 16 at 40232 x 1"
    over.close()


async def test_without_a_role_in_the_certificate_that_is_said(serve: Serve, papers: Path) -> None:
    device = await serve(certificates.server(papers, "server"))
    over = wire(device, keys(papers, "nobody"))
    await over.connect(lambda error: None)
    with pytest.raises(RoleRefused, match="or a certificate without a role may not"):
        await over.request(1, Write(address=40232, values=(1,)))
    over.close()


async def test_a_renewed_certificate_counts_from_the_next_connection_on(
    serve: Serve, papers: Path, tmp_path: Path
) -> None:
    device = await serve(certificates.server(papers, "server"))
    for ending in ("pem", "key"):
        shutil.copy(papers / f"viewer.{ending}", tmp_path / f"own.{ending}")
    using = Keys(
        section="tls",
        ca_file=str(papers / "ca.pem"),
        cert_file=str(tmp_path / "own.pem"),
        key_file=str(tmp_path / "own.key"),
    )
    over = wire(device, using)
    for name in ("viewer", "operator"):
        for ending in ("pem", "key"):
            shutil.copy(papers / f"{name}.{ending}", tmp_path / f"own.{ending}")
        await over.connect(lambda error: None)
        await over.request(1, Read(address=7, count=1))
    over.close()
    assert device.roles == ["Viewer", "Operator"]


@pytest.mark.parametrize(
    ("key", "name", "why"),
    [
        ("ca_file", "missing.pem", "there is no such file"),
        ("ca_file", "ca.cnf", "this is no PEM file (it begins with -----BEGIN)"),
        ("cert_file", "viewer.pem", "key_file is not the key of this certificate"),
        ("cert_file", "ca.cnf", "this or key_file is no PEM file (it begins with -----BEGIN)"),
        ("key_file", "locked.key", "it is locked with a passphrase that nobody can be asked for"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named(serve: Serve, papers: Path, key: str, name: str, why: str) -> None:
    device = await serve(certificates.server(papers, "server"))
    own = {"cert_file": str(papers / "operator.pem"), "key_file": str(papers / "operator.key")}
    using = Keys(**{"section": "tls", "ca_file": str(papers / "ca.pem"), **own, key: str(papers / name)})
    text, _ = await told(wire(device, using))
    assert text.startswith(f"tls.{key}: {papers / name}: {why}")


@pytest.mark.parametrize(
    ("name", "role"), [("operator", "Operator"), ("viewer", "Viewer"), ("nobody", None), ("ca", None)]
)
def test_role_and_dates_are_those_that_openssl_reads(papers: Path, name: str, role: str | None) -> None:
    known = certificate_in((papers / f"{name}.pem").read_text())
    asked = ["openssl", "x509", "-in", f"{name}.pem", "-noout", "-dates"]
    lines = subprocess.run(asked, cwd=papers, capture_output=True, text=True, check=True).stdout.splitlines()
    dates = [datetime.strptime(line.partition("=")[2], "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC) for line in lines]
    assert [known.not_before, known.not_after] == dates
    assert known.role == role


def test_what_is_no_certificate_is_said_and_nothing_else_happens(papers: Path) -> None:
    pem = (papers / "operator.pem").read_text()
    for text in ("", "no certificate", pem[: len(pem) // 2]):
        with pytest.raises(ValueError, match="no certificate"):
            certificate_in(text)
