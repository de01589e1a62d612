"""Host names: a name server that never answers holds up nobody but who asked for that name."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import suppress

from derctl.links.aside import Crowd

LOOK_UPS_MAX = 32
"""At once: each has a thread, and a process has 64 (TasksMax of the unit)."""
_LOOK_UPS = Crowd(LOOK_UPS_MAX)


class Name:
    """One host's. There is one look-up at a time, however often it is asked for: it goes on until it is answered."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._asked: asyncio.Future[list[str]] | None = None

    async def addresses(self, seconds: float) -> list[str]:
        """To be tried in turn. Raises OSError (also where no answer came within `seconds`), or ValueError."""
        if is_address(self._host):
            return [self._host]
        if self._asked is None:
            self._asked = asyncio.wrap_future(_LOOK_UPS.begin("look-up", lambda: look_up(self._host, self._port)))
            self._asked.add_done_callback(_heard)
        asked = self._asked
        await asyncio.wait([asked], timeout=seconds)
        if not asked.done():
            raise socket.gaierror(socket.EAI_AGAIN, "the name server does not answer")
        self._asked = None
        return asked.result()


def _heard(asked: asyncio.Future[list[str]]) -> None:
    """An error that nobody waits for any more is none to be logged."""
    if not asked.cancelled():
        asked.exception()


def is_address(host: str) -> bool:
    """Whether nobody has to be asked for it."""
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False


def look_up(host: str, port: int) -> list[str]:
    """Blocks. An address that counts on one link only keeps the link's number (`fe80::1%2`)."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(_written(*place) for *_, place in found))


def _written(address: str, port: int, flow: int = 0, link: int = 0) -> str:
    return f"{address}%{link}" if link else address
