"""sd_notify: READY, STATUS and WATCHDOG to systemd, by a datagram to NOTIFY_SOCKET. Silent where there is none."""

from __future__ import annotations

import os
import socket


class Notifier:
    """Errors are ignored: systemd not listening is no reason to stop controlling."""

    def __init__(self, path: str | None = None) -> None:
        path = os.environ.get("NOTIFY_SOCKET") if path is None else path
        self._socket: socket.socket | None = None
        self._path = ""
        if path:
            self._path = "\0" + path[1:] if path.startswith("@") else path
            self._socket = socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            )

    def send(self, *lines: str) -> None:
        """For example send("READY=1", "STATUS=observing")."""
        if self._socket is None:
            return
        try:
            self._socket.sendto("\n".join(lines).encode(), self._path)
        except OSError:
            return
