"""Password and key files: read once, and refused where everyone may read them."""

from __future__ import annotations

from pathlib import Path

from derctl.errors import Problem
from derctl.site.lines import Source
from derctl.site.schema import SiteFile


def secret_of(source: Source, site: SiteFile, problems: list[Problem]) -> str | None:
    if site.mqtt is None:
        return None
    tls = site.mqtt.tls
    if tls is not None and tls.key_file is not None and Path(tls.key_file).is_file():
        _keep_private(source, "mqtt.tls.key_file", Path(tls.key_file), problems)
    if site.mqtt.password_file is None:
        return None
    path = Path(site.mqtt.password_file)
    try:
        _keep_private(source, "mqtt.password_file", path, problems)
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        problems.append(source.problem("mqtt.password_file", str(error)))
        return None


def _keep_private(source: Source, path: str, file: Path, problems: list[Problem]) -> None:
    mode = file.stat().st_mode
    if mode & 0o007:
        text = f"{file} is open to everyone (mode {mode & 0o777:o}); chmod 640 or stricter"
        problems.append(source.problem(path, text))
