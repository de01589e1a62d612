"""Password and key files: read once, and refused where everyone may read them or where it is no file."""

from __future__ import annotations

import ssl
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import UNSET

from derctl.errors import Problem
from derctl.links.certificate import Certificate, certificate_in
from derctl.links.keys import Keys, Unusable
from derctl.site.lines import Source
from derctl.site.schema import ModbusTlsSection, MqttSection, SiteFile, TlsSection

SECRET_MAX = 1024
"""Bytes of a password."""
EXPIRES_SOON = timedelta(days=30)
"""From then on a certificate that ends is asked about."""
WORDS: dict[type[OSError], str] = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "this is a directory, no file",
    NotADirectoryError: "there is no such file",
    PermissionError: "no permission to read it: use sudo, or join the group derctl",
}


def said(error: OSError) -> str:
    """Why a file can't be read, for people."""
    return WORDS.get(type(error), error.strerror or str(error))


def secret_of(source: Source, site: SiteFile, problems: list[Problem], questions: list[Problem]) -> str | None:
    """The password. TLS files are only looked at: each connection reads them anew, and may find them later."""
    for i, bus in enumerate(site.buses):
        if bus.tls is not UNSET:
            without = f"without it nothing on bus {bus.id!r} is reached"
            _check_tls(source, f"buses[{i}].tls", bus.tls, without, problems, questions)
    if site.mqtt is None:
        return None
    if site.mqtt.tls is not None:
        _check_tls(source, "mqtt.tls", site.mqtt.tls, "without it there is no broker", problems, questions)
    return _password(source, site.mqtt, problems, questions)


def _check_tls(
    source: Source,
    section: str,
    tls: TlsSection | ModbusTlsSection,
    without: str,
    problems: list[Problem],
    questions: list[Problem],
) -> None:
    def ask(key: str, text: str) -> None:
        questions.append(source.problem(f"{section}.{key}", text))

    before = len(problems) + len(questions)
    for key in ("ca_file", "cert_file", "key_file"):
        name = getattr(tls, key)
        path = f"{section}.{key}"
        if name is None or not Path(name).is_absolute():
            continue
        try:
            if (wrong := no_file(Path(name))) is not None:
                problems.append(source.problem(path, f"{name}: {wrong}"))
                continue
            if key == "key_file":
                _keep_private(source, path, Path(name), problems)
            Path(name).open("rb").close()
        except (OSError, ValueError) as error:
            ask(key, f"{name}: {said(error) if isinstance(error, OSError) else error}; {without}")
    if len(problems) + len(questions) == before:
        _try_tls(tls, without, ask)


def _try_tls(tls: TlsSection | ModbusTlsSection, without: str, ask: Callable[[str, str], None]) -> None:
    """What stands in the files that can be read: whether it belongs together, and is of today."""
    try:
        keys = Keys(section="", ca_file=tls.ca_file, cert_file=tls.cert_file, key_file=tls.key_file)
        keys.into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        known = None if tls.cert_file is None else certificate_in(Path(tls.cert_file).read_text("ascii"))
    except Unusable as error:
        ask(error.key, f"{error.path}: {error.why}; {without}")
    except (OSError, ValueError) as error:
        ask("cert_file", f"{tls.cert_file}: {error}; {without}")
    else:
        if known is not None and (wrong := out_of_time(known, datetime.now(UTC))) is not None:
            ask("cert_file", f"{tls.cert_file}: {wrong}")


def out_of_time(known: Certificate, now: datetime) -> str | None:
    """Why a certificate doesn't count now, or soon won't."""
    if now < known.not_before:
        return f"counts from {known.not_before:%Y-%m-%d} on, and the clock here says {now:%Y-%m-%d}: is it set?"
    if now > known.not_after:
        return f"expired on {known.not_after:%Y-%m-%d}: get a new one"
    if now > known.not_after - EXPIRES_SOON:
        return f"expires on {known.not_after:%Y-%m-%d}: get a new one before"
    return None


def _password(source: Source, mqtt: MqttSection, problems: list[Problem], questions: list[Problem]) -> str | None:
    name, path = mqtt.password_file, "mqtt.password_file"
    if name is None or not Path(name).is_absolute():
        return None
    try:
        if (wrong := no_file(Path(name))) is not None:
            problems.append(source.problem(path, f"{name}: {wrong}"))
            return None
        _keep_private(source, path, Path(name), problems)
        secret = _start(Path(name)).decode().strip()
    except UnicodeDecodeError:
        problems.append(source.problem(path, f"{name}: no UTF-8 text"))
        return None
    except (OSError, ValueError) as error:
        why = said(error) if isinstance(error, OSError) else str(error)
        problems.append(source.problem(path, f"{name}: {why}"))
        return None
    if len(secret.encode()) > SECRET_MAX:
        problems.append(source.problem(path, f"{name}: more than {SECRET_MAX} bytes: one line, the password"))
        return None
    if not secret or "\n" in secret:
        text = "is empty" if not secret else "has several lines: one line, the password"
        (problems if secret else questions).append(source.problem(path, f"{name} {text}"))
    return secret


def _start(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(SECRET_MAX + 3)


def no_file(file: Path) -> str | None:
    """A device, a fifo or a socket may never end, or never begin: it is not opened. Raises OSError, ValueError."""
    mode = file.stat().st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    return "a device, a fifo or a socket, no file"


def _keep_private(source: Source, path: str, file: Path, problems: list[Problem]) -> None:
    mode = file.stat().st_mode
    if mode & 0o007:
        text = f"{file} is open to everyone (mode {mode & 0o777:o}); chmod 640 or stricter"
        problems.append(source.problem(path, text))
