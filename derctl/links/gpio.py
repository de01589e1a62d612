"""GPIO lines of this machine as contacts: read by a thread of their own, so that a chip that hangs holds nobody up.

By gpiod 2 (the Linux kernel's character devices), an extra of its own: imported once there is a contact.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from typing import Any, Protocol

from derctl.core.dataclass import dataclass
from derctl.core.text import error_text
from derctl.errors import LinkError

LOOK_S = 0.05
"""How often the lines are read."""
AGAIN_S = 2.0
"""How long a chip is left alone that could not be opened or read."""
STALE_S = 2.0
"""What was read longer ago is not known now."""
EXTRA = "gpiod is not installed: pip install 'derctl[gpio]'"
OLD = "this gpiod is of version 1: version 2 is needed (pip install 'derctl[gpio]')"


class Lines(Protocol):
    """Lines that were opened."""

    def read(self) -> Mapping[int, bool]:
        """By line, whether the contact is closed. Raises OSError."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """path: such as /dev/gpiochip0. low: a closed contact pulls its line to ground. pull: the chip's own resistor
    holds an open one."""

    path: str
    low: bool
    pull: bool


Opener = Callable[[Chip, Sequence[int]], Lines]


def missing() -> bool:
    """Whether the extra is not there."""
    return importlib.util.find_spec("gpiod") is None


def opened(chip: Chip, lines: Sequence[int]) -> Lines:
    """By gpiod. Raises LinkError without the extra, OSError or ValueError of a chip or line that can't be had."""
    try:
        gpiod = importlib.import_module("gpiod")
        words = importlib.import_module("gpiod.line")
    except ImportError as error:
        raise LinkError(OLD if "gpiod.line" in str(error) else EXTRA) from error
    bias = words.Bias.AS_IS
    if chip.pull:
        bias = words.Bias.PULL_UP if chip.low else words.Bias.PULL_DOWN
    settings = gpiod.LineSettings(direction=words.Direction.INPUT, bias=bias, active_low=chip.low)
    request = gpiod.request_lines(chip.path, consumer="derctl", config={tuple(lines): settings})
    return _Requested(request, tuple(lines), words.Value.ACTIVE)


@dataclass(frozen=True, slots=True)
class _Requested:
    request: Any
    lines: tuple[int, ...]
    active: Any

    def read(self) -> Mapping[int, bool]:
        values = self.request.get_values(list(self.lines))
        return {line: each == self.active for line, each in zip(self.lines, values, strict=True)}

    def close(self) -> None:
        self.request.release()


@dataclass(slots=True)
class Watched:
    """One chip's lines as they were read last. open: how they are had. clock: monotonic. tried: it was read, or found
    that it can't be."""

    chip: Chip
    lines: Sequence[int]
    open: Opener = opened
    clock: Callable[[], float] = time.monotonic
    _read: Mapping[int, bool] = field(default_factory=dict)
    _why: str = "not read yet"
    _at_s: float = float("-inf")
    tried: bool = False
    _have: Lines | None = None
    _ends: threading.Event = field(default_factory=threading.Event)

    def closed(self) -> tuple[Mapping[int, bool], str]:
        """By line; nothing where it is not known now, and why."""
        read, why, at_s = self._read, self._why, self._at_s
        if not read:
            return {}, why
        late = self.clock() - at_s > STALE_S
        return ({}, f"{self.chip.path} does not answer") if late else (read, "")

    def once(self) -> float:
        """Read them. How long to wait until the next time."""
        try:
            if self._have is None:
                self._have = self.open(self.chip, self.lines)
            read = self._have.read()
        except Exception as error:  # whatever a library raises: its lines are not known then
            said = error_text(error) if isinstance(error, OSError) else str(error) or type(error).__name__
            self._read, self._why, self.tried = {}, f"{self.chip.path}: {said}", True
            self._let_go()
            return AGAIN_S
        self._at_s = self.clock()
        self._read, self.tried = read, True
        return LOOK_S

    def start(self) -> None:
        """From a thread that nobody waits for."""
        threading.Thread(target=self._run, name=f"gpio {self.chip.path}", daemon=True).start()

    def stop(self) -> None:
        """Let them go, soon."""
        self._ends.set()

    def _run(self) -> None:
        wait_s = 0.0
        while not self._ends.wait(wait_s):
            wait_s = self.once()
        self._let_go()

    def _let_go(self) -> None:
        have, self._have = self._have, None
        if have is not None:
            with suppress(Exception):
                have.close()
