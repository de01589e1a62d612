"""`derctl run`: the daemon."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from derctl import __version__
from derctl.cli.exits import BUG, BUSY, CONFIG, OK
from derctl.cli.heap import one_arena
from derctl.cli.local import add_config, config_of
from derctl.core.text import error_text
from derctl.site import Site

if TYPE_CHECKING:
    from derctl.daemon.app import App


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_config(parser)
    parser.add_argument("--observe", action="store_true", help="write nothing, whatever the site file says")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--log-json", action="store_true", help="log lines as JSON, for programs")


def run(args: argparse.Namespace) -> int:
    """Until SIGTERM or SIGINT."""
    one_arena()
    path = config_of(args)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the daemon listens: the file is being read anyway
    from derctl.daemon.commands.rights import read

    site = read(path)
    from derctl.cli.late import SESSIONS
    from derctl.cli.leave import LINES_S, leave, watch
    from derctl.cli.pages import PAGES
    from derctl.daemon.app import App
    from derctl.daemon.log import Style, configure, logger, priority_of

    lines = configure(level=args.log_level, style=Style.JSON if args.log_json else None)
    logger().log(priority_of("started"), "started", text=_line(site, observe=args.observe))
    for question in site.questions:
        logger().warning("site_file", text=str(question))

    app = App(site, observe=args.observe, read=lambda: read(path), sessions=SESSIONS, pages=PAGES)
    watch(app.ending, lines)
    runner = asyncio.Runner(loop_factory=_loop_factory())
    try:
        code = _until_its_end(runner, app)
        if app.ending.since_s is not None:
            leave(code, app.ending, lines)
    finally:
        runner.close()
        lines.stop(LINES_S)
    return code


def _until_its_end(runner: asyncio.Runner, app: App) -> int:
    from derctl.store.folder import AlreadyRunning

    try:
        runner.run(app.run())
    except AlreadyRunning as error:
        print(error, file=sys.stderr)
        return BUSY
    except PermissionError as error:
        print(f"state_dir: {error_text(error)}", file=sys.stderr)
        return CONFIG
    except ExceptionGroup as group:
        _say(group)
        return BUG
    return OK


def _line(site: Site, *, observe: bool) -> str:
    """What starts here, in one line."""
    file = site.file
    mode = "observe (--observe)" if observe else f"{file.site.mode} (site file)"
    devices = ", ".join([*(f"{der.id} ({der.kind})" for der in file.ders), *(path for path, _ in file.meters)])
    return f"derctl {__version__}, site {file.site.id}, mode {mode}, tick {file.site.tick_s:g} s, devices {devices}"


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
