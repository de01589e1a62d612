"""A host as a person writes it: what in it is no host, and what to write instead."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

IPV4_LIKE = re.compile(r"[0-9]+(?:\.[0-9]+)+\.?")
WITH_PORT = re.compile(r"\[?([^\[\]:]+|[^\[\]]*:[^\[\]]*)\]?:([0-9]+)|\[([^\]]*)\]")


def here(host: str) -> bool:
    """Whether it is this machine, so that nothing is on the way."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def host_problem(host: str) -> str | None:
    """Why this can't be a host; None for a name, an IPv4 or an IPv6 address."""
    if not host or host != host.strip():
        return "has no value: write a name or an address" if not host.strip() else "take the blanks around it away"
    if "://" in host:
        return _url(host)
    if host.count(":") == 1 or "[" in host:
        return _with_port(host)
    if bad := sorted({each for each in host if each in "/@?#\\,;'\"“”„‘’" or each.isspace()}):
        return f"{bad[0]!r} stands in no host: write a name or an address"
    if IPV4_LIKE.fullmatch(host):
        return _ipv4(host)
    return None


def _url(host: str) -> str:
    try:
        parts = urlsplit(host)
        port = "" if parts.port is None else f" and port: {parts.port}"
        name = parts.hostname or ""
    except ValueError:
        port, name = "", ""
    wanted = f"host: {name}{port}" if name else "a name or an address"
    return f"{host[:60]!r} is a URL: write {wanted}"


def _with_port(host: str) -> str:
    match = WITH_PORT.fullmatch(host)
    if match is None:
        return f"{host[:60]!r} is no host: write a name or an address"
    if match[3] is not None:
        return f"no brackets: write host: {match[3]}"
    return f"the port stands by itself: write host: {match[1]} and port: {match[2]}"


def _ipv4(host: str) -> str | None:
    parts = host.split(".")
    if len(parts) != 4 or not all(parts) or any(int(part[:9]) > 255 for part in parts):
        return f"{host} is no address: four numbers from 0 to 255, with a point between"
    if any(len(part) > 1 and part.startswith("0") for part in parts):
        return f"a zero before a number makes it octal: write {'.'.join(str(int(part)) for part in parts)}"
    return "0.0.0.0 is no address to connect to" if host == "0.0.0.0" else None
