"""Where derctl's own files may lie: places that are another's are refused before anything is made there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from derctl.site.schema import SiteSection

OTHERS = ("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "sbin", "sys", "usr")
"""Folders below / that are the system's (hier(7)). In /dev/shm everybody may write."""
SHARED = (
    "/",
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/root",
    "/run",
    "/srv",
    "/tmp",
    "/var",
    "/var/lib",
    "/var/run",
    "/var/tmp",
)
"""Folders that many share: state lies in one of its own."""
SOCKET_MAX = 107
"""Bytes of a socket's path (sun_path, unix(7))."""


def own_places(site: SiteSection) -> Iterator[tuple[str, str]]:
    """Path and message of each that a daemon can't use, or must not."""
    for path, name, usual in (
        ("site.state_dir", site.state_dir, "/var/lib/derctl"),
        ("site.socket", site.socket, "/run/derctl/derctl.sock"),
    ):
        if not Path(name).is_absolute():
            continue
        if (wrong := _wrong(name)) is not None:
            yield path, f"{name[:SOCKET_MAX]!r}: {wrong}: usual is {usual}"
    if os.path.normpath(site.state_dir) in SHARED:
        yield "site.state_dir", f"{site.state_dir} is shared with others: usual is /var/lib/derctl"
    if os.path.normpath(site.socket) in (*SHARED, os.path.normpath(site.state_dir)):
        yield "site.socket", f"{site.socket} is a folder: usual is /run/derctl/derctl.sock"
    size = len(os.fsencode(site.socket))
    if size > SOCKET_MAX:
        yield "site.socket", f"{size} bytes, and a socket's path has {SOCKET_MAX} at most"


def _wrong(name: str) -> str | None:
    if any(ord(each) < 32 or ord(each) == 127 for each in name):
        return "a control character"
    parts = Path(os.path.normpath(name.replace("//", "/"))).parts
    if parts[1:2] and parts[1] in OTHERS and parts[1:3] != ("dev", "shm"):
        return f"a daemon keeps nothing below /{parts[1]}"
    return None
