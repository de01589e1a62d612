"""Ending tasks for certain."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import Any

AGAIN_S = 0.1


async def end(tasks: Iterable[asyncio.Task[Any]], seconds: float = math.inf) -> set[asyncio.Task[Any]]:
    """Cancel until all have ended, whatever they end with. Who is cancelled meanwhile is so when they have ended.

    Once is not enough: before Python 3.12 asyncio.wait_for, which pymodbus waits with, swallows a cancellation that
    comes in the same turn as its result, and the task goes on. Returns those that are left behind after `seconds`.
    """
    clock = asyncio.get_running_loop().time
    until_s = clock() + seconds
    pending = {task for task in tasks if not task.done()}
    asked: asyncio.CancelledError | None = None
    while pending:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=max(min(AGAIN_S, until_s - clock()), 0.0))
        except asyncio.CancelledError as error:
            asked = error
        pending = {task for task in pending if not task.done()}
        if clock() >= until_s:
            break
    if asked is not None:
        raise asked
    return pending


PATIENCE_S = 60.0


async def end_kindly(task: asyncio.Future[Any]) -> None:
    """Cancel it once, so that what it does at its end is not broken off, and return when it has ended. Who is
    cancelled meanwhile is so then."""
    asked: asyncio.CancelledError | None = None
    while not task.done():
        task.cancel()
        until_s = asyncio.get_running_loop().time() + PATIENCE_S
        while not task.done() and (left_s := until_s - asyncio.get_running_loop().time()) > 0.0:
            try:
                await asyncio.wait({task}, timeout=left_s)
            except asyncio.CancelledError as error:
                asked = error
    if asked is not None:
        raise asked
