"""`derctl run`: the daemon."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from derctl.cli.exits import BUG, BUSY, CONFIG
from derctl.site import load


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    parser.add_argument("-c", "--config", type=Path, required=True, help="the site file")
    parser.add_argument("--observe", action="store_true", help="write nothing, whatever the site file says")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))


def run(args: argparse.Namespace) -> int:
    """Until SIGTERM or SIGINT."""
    site = load(args.config)
    from derctl.daemon.app import App
    from derctl.daemon.log import configure, logger
    from derctl.store.folder import AlreadyRunning

    listener = configure(level=args.log_level)
    for question in site.questions:
        logger().warning("site_file", text=str(question))

    async def daemon() -> None:
        await App(site, observe=args.observe).run()

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(daemon())
    except AlreadyRunning as error:
        print(error, file=sys.stderr)
        return BUSY
    except PermissionError as error:
        print(f"state_dir: {error}", file=sys.stderr)
        return CONFIG
    except ExceptionGroup as group:
        _say(group)
        return BUG
    finally:
        listener.stop()
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed (extra `fast`)."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _say(group: BaseException) -> None:
    from derctl.daemon.log import logger

    logger().critical("bug", exc_info=group)
