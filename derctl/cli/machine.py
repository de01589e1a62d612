"""What `derctl doctor` asks the machine itself: its service, its disk, its clock, and the versions installed."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import struct
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from derctl.core.dataclass import dataclass

UNIT = "derctl.service"
ASKED = ("LoadState", "ActiveState", "SubState", "Result", "ExecMainStatus", "NRestarts", "UnitFileState", "MainPID")
ANSWER_S = 5.0
LIBRARIES = ("pymodbus", "aiomqtt", "paho-mqtt", "msgspec", "pysunspec2")
TIMEX = "@Illll"
"""modes, offset, freq, maxerror, esterror (adjtimex(2)), the errors in microseconds."""
UNSYNCED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What systemd says of derctl.service; loaded False: it knows no such unit, or is not there."""

    loaded: bool = False
    active: str = "unknown"
    result: str = ""
    status: int = 0
    restarts: int = 0
    enabled: str = ""
    pid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Where the state lies. free_bytes None: nobody may look, or it is not there yet."""

    free_bytes: int | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockQuality:
    """synced, and the most that it may be wrong by, by the kernel's word (None: it says nothing); rtc: whether the
    machine has a clock that goes on without power."""

    synced: bool = False
    error_s: float | None = None
    rtc: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """All of it."""

    service: Service
    disk: Disk
    clock: ClockQuality
    versions: dict[str, str]


def machine(state_dir: Path | None) -> Machine:
    """Never raises: what can't be asked is not known."""
    return Machine(
        service=service(), disk=Disk() if state_dir is None else disk(state_dir), clock=quality(), versions=versions()
    )


def service() -> Service:
    """By systemctl, where there is one."""
    program = shutil.which("systemctl")
    if program is None:
        return Service()
    try:
        command = [program, "show", UNIT, f"--property={','.join(ASKED)}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return Service()
    return service_of(done.stdout)


def service_of(text: str) -> Service:
    """`systemctl show`: KEY=VALUE a line."""
    said = dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)
    if said.get("LoadState") != "loaded":
        return Service()

    def number(key: str) -> int:
        return int(said[key]) if said.get(key, "").isdecimal() else 0

    return Service(
        loaded=True,
        active=said.get("ActiveState", "unknown"),
        result=said.get("Result", ""),
        status=number("ExecMainStatus"),
        restarts=number("NRestarts"),
        enabled=said.get("UnitFileState", ""),
        pid=number("MainPID"),
    )


def disk(folder: Path) -> Disk:
    """Of the nearest folder that is there."""
    for place in (folder, *folder.parents):
        try:
            found = os.statvfs(place)
        except OSError:
            continue
        return Disk(free_bytes=found.f_bavail * found.f_frsize, read_only=bool(found.f_flag & os.ST_RDONLY))
    return Disk()


def quality() -> ClockQuality:
    """adjtimex with modes = 0 reads only."""
    rtc = any(Path("/dev").glob("rtc*"))
    buffer = ctypes.create_string_buffer(512)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (AttributeError, OSError):
        return ClockQuality(rtc=rtc)
    _, _, _, most_us, _ = struct.unpack_from(TIMEX, buffer.raw)
    synced = 0 <= state < UNSYNCED
    return ClockQuality(synced=synced, error_s=most_us / 1e6 if synced else None, rtc=rtc)


def versions() -> dict[str, str]:
    """Python, the kernel, and the libraries that bytes go through."""
    found = {"python": platform.python_version(), "kernel": platform.release(), "machine": platform.machine()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
