"""The processes a scenario starts: the daemon under test and, if asked, a broker. Only these are ever signalled."""

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

FAKETIME_PLACES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/arm-linux-gnueabihf/faketime/libfaketime.so.1",
    "/usr/local/lib/faketime/libfaketime.so.1",
)


def libfaketime() -> str | None:
    """Path of libfaketime, or None. HIL_LIBFAKETIME names another one."""
    places = (os.environ.get("HIL_LIBFAKETIME", ""), *FAKETIME_PLACES)
    return next((place for place in places if place and Path(place).exists()), None)


def mosquitto() -> str | None:
    """Path of the mosquitto broker, or None."""
    found = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    return found if Path(found).exists() else None


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Child:
    """One process with its output in files. `expected_end`: the scenario ended it."""

    def __init__(self, name: str, command: Sequence[str], directory: Path, env: dict[str, str] | None = None) -> None:
        self.name = name
        self.command = list(command)
        self.directory = directory
        self.env = env
        self.process: asyncio.subprocess.Process | None = None
        self.expected_end = False
        self.starts = 0
        self.stderr_path = directory / f"{name}.stderr"
        self.stdout_path = directory / f"{name}.stdout"

    @property
    def running(self) -> bool:
        """True while it lives (a stopped one lives)."""
        return self.process is not None and self.process.returncode is None

    @property
    def pid(self) -> int | None:
        """While it lives."""
        return self.process.pid if self.running and self.process is not None else None

    @property
    def exit_code(self) -> int | None:
        """None before its end."""
        return None if self.process is None else self.process.returncode

    @property
    def rss_mb(self) -> float | None:
        """Resident memory."""
        if not self.running or self.process is None:
            return None
        with contextlib.suppress(OSError, IndexError, ValueError):
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        return None

    async def start(self) -> None:
        """Start it, if it does not run."""
        if self.running:
            return
        self.expected_end = False
        self.starts += 1
        with self.stdout_path.open("ab") as out, self.stderr_path.open("ab") as err:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=err, env=self.env
            )

    def send(self, number: signal.Signals) -> None:
        """Signal this process, by its id."""
        if self.running and self.process is not None:
            if number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
                self.expected_end = True
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    async def gone(self, patience_s: float = 20.0) -> None:
        """Wait for the end of one that was told to end."""
        if self.expected_end and self.running and self.process is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), patience_s)

    async def end(self, patience_s: float = 10.0) -> bool:
        """SIGTERM, then SIGKILL. True if it went by itself."""
        if not self.running or self.process is None:
            return True
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), patience_s)
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self.process.wait()
            return False
        return True

    def stderr(self) -> str:
        """What it wrote to stderr so far, over all its starts."""
        return self.stderr_path.read_text(encoding="utf-8", errors="replace") if self.stderr_path.exists() else ""


def daemon(controller: str | None, config: Path, directory: Path, *, clock_offset_s: float | None) -> Child:
    """The controller under test. `controller` is a command line; `{config}` in it becomes the site file."""
    template = controller or f"{shlex.quote(sys.executable)} -m derctl run -c {{config}}"
    command = [part.replace("{config}", str(config)) for part in shlex.split(template)]
    env = dict(os.environ)
    env["PYTHONUNBUFFERED"] = "1"
    library = libfaketime()
    if clock_offset_s is not None and library is not None:
        stamp = directory / "faketime"
        write_clock(directory, clock_offset_s)
        own = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(stamp), "FAKETIME_NO_CACHE": "1"}
        env.update({**own, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"})
    return Child("daemon", command, directory, env)


def write_clock(directory: Path, offset_s: float) -> None:
    """The daemon's wall clock is off by so much from now on (libfaketime re-reads its file)."""
    partial = directory / "faketime.new"
    partial.write_text(f"{offset_s:+.3f}\n", encoding="utf-8")
    partial.replace(directory / "faketime")


def broker(port: int, directory: Path, lines: Sequence[str] = ()) -> Child:
    """A broker on loopback: mosquitto if it is installed, else amqtt. lines: more of mosquitto's configuration."""
    program = mosquitto()
    if program is None:
        return Child("broker", [sys.executable, "-m", "hil.broker", str(port)], directory)
    config = directory / "mosquitto.conf"
    text = "\n".join([f"listener {port} 127.0.0.1", "allow_anonymous true", "persistence false", *lines, ""])
    config.write_text(text + ("user root\n" if os.geteuid() == 0 else ""), encoding="utf-8")
    return Child("broker", [program, "-c", str(config)], directory)


async def listening(port: int, patience_s: float = 10.0) -> bool:
    """True when something accepts on the port."""
    for _ in range(int(patience_s / 0.1)):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return True
        await asyncio.sleep(0.1)
    return False
