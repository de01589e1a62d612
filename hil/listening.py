"""I9: whether one of our processes listens where somebody else than this machine can reach it: its real sockets."""

import ipaddress
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

LISTENS = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
"""By table of /proc/net the state of a socket that anybody may send to (net/tcp_states.h: TCP_LISTEN, TCP_CLOSE)."""
FIRST_S, EVERY_S = 2.0, 30.0
"""When it is looked: a daemon has its links by then."""


@dataclass(slots=True)
class Listening:
    """found: what was seen, in words. looks: how often. due_s: when the next one is."""

    found: set[str] = field(default_factory=set)
    looks: int = 0
    due_s: float = FIRST_S

    def look(self, pids: Iterable[int | None], now_s: float) -> None:
        """Once per plant step. now_s: since the daemon answered first."""
        if now_s >= self.due_s:
            self.due_s = now_s + EVERY_S
            self.looks += 1
            self.found |= set(beyond(pid for pid in (os.getpid(), *pids) if pid is not None))

    def faults(self) -> list[str]:
        """In words."""
        return sorted(self.found)


def beyond(pids: Iterable[int]) -> Iterator[str]:
    """The sockets of these processes that listen on another address than loopback."""
    open_ = {inode: where for name, state in LISTENS.items() for inode, where in _open(name, state)}
    if not open_:
        return
    for pid in pids:
        for inode in _inodes(pid):
            if inode in open_:
                yield f"{_program(pid)} listens on {open_[inode]}"


def _open(name: str, state: str) -> Iterator[tuple[str, str]]:
    """Inode and address of each that is not on loopback (proc(5): sl local_address rem_address st ... inode)."""
    try:
        lines = Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        words = line.split()
        if words[3] == state:
            address, port = words[1].split(":")
            host = _address(address)
            if not host.is_loopback:
                yield words[9], f"{name} {host} port {int(port, 16)}"


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Words of 32 bits, each as this machine has it in memory; a mapped one is of IPv4."""
    raw = bytes.fromhex(text)
    words = (raw[at : at + 4] for at in range(0, len(raw), 4))
    host = ipaddress.ip_address(b"".join(word[::-1] if sys.byteorder == "little" else word for word in words))
    mapped = getattr(host, "ipv4_mapped", None)
    return mapped if mapped is not None else host


def _inodes(pid: int) -> Iterator[str]:
    try:
        opened = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return
    for each in opened:
        try:
            target = str(each.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return f"process {pid}"
