"""Password and key files: read once, and refused where everyone may read them or where it is no file."""

from __future__ import annotations

import stat
from pathlib import Path

from derctl.errors import Problem
from derctl.site.lines import Source
from derctl.site.schema import MqttSection, SiteFile

SECRET_MAX = 1024
"""Bytes of a password."""
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
    """The password. TLS files are only looked at: the broker's session reads them, and may find them later."""
    if site.mqtt is None:
        return None
    _check_tls(source, site.mqtt, problems, questions)
    return _password(source, site.mqtt, problems, questions)


def _check_tls(source: Source, mqtt: MqttSection, problems: list[Problem], questions: list[Problem]) -> None:
    if mqtt.tls is None:
        return
    for key in ("ca_file", "cert_file", "key_file"):
        name = getattr(mqtt.tls, key)
        path = f"mqtt.tls.{key}"
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
            why = said(error) if isinstance(error, OSError) else str(error)
            questions.append(source.problem(path, f"{name}: {why}; without it there is no broker"))


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
