"""Work that may hang (a look-up, a library's blocking connect) has a thread of its own that nobody waits for: the
default executor's would be missing to who saves, and the interpreter joins them at the end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import field
from typing import TypeVar

from derctl.core.dataclass import dataclass

T = TypeVar("T")


def aside(name: str, work: Callable[[], T]) -> Future[T]:
    """Begin it. Who asks takes care that it is not begun again while it hangs."""
    future, run = _of(work)
    _thread(name, run)
    return future


@dataclass(slots=True)
class Crowd:
    """The same for any number of works by `most` threads: where all of them hang the next one waits for the first
    that doesn't any more. A process that may start no other thread could not even save."""

    most: int
    _waiting: deque[Callable[[], None]] = field(default_factory=deque)
    _threads: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, name: str, work: Callable[[], T]) -> Future[T]:
        """Begin it when there is a thread for it. name: of that, if it is a new one."""
        future, run = _of(work)
        with self._lock:
            self._waiting.append(run)
            more = self._threads < self.most
            self._threads += more
        if more:
            _thread(name, self._work)
        return future

    def _work(self) -> None:
        while (run := self._next()) is not None:
            run()

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._threads -= 1
            return None


def _of(work: Callable[[], T]) -> tuple[Future[T], Callable[[], None]]:
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    return future, run


def _thread(name: str, run: Callable[[], None]) -> None:
    threading.Thread(target=run, name=name, daemon=True).start()
