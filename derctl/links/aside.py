"""Work that may hang (a look-up, a library's blocking connect) has a thread of its own that nobody waits for: the
default executor's would be missing to who saves, and the interpreter joins them at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def aside(name: str, work: Callable[[], T]) -> Future[T]:
    """Begin it. Who asks takes care that it is not begun again while it hangs."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
