"""`python -m hil`: run, list and serve scenarios.

Exit 0: all held; 1: not; 2: unusable; 77: not supported here; 141: who read its output left before the end.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hil import report
from hil.faces.replay import Replay
from hil.recordings import Recording, recorded_in
from hil.rig import Rig
from hil.runner import Result, lacking, run_scenario
from hil.scenario import ScenarioError, load
from hil.showing import on_show
from hil.unit import Unit
from hil.wire import Endpoint

SHELF = Path(__file__).parent / "scenarios"
UNSUPPORTED, UNREAD = 77, 141
"""The second is 128 + SIGPIPE, as shells have it."""


def scenario_path(name: str) -> Path:
    """A file, or the name of one on the shelf."""
    path = Path(name)
    return path if path.is_file() else SHELF / f"{name.removesuffix('.yaml')}.yaml"


async def serve(args: argparse.Namespace) -> int:
    """Plant and servers only, or one recorded device."""
    if [args.file, args.dump, args.personality].count(None) != 2:
        raise ScenarioError("serve takes a scenario, --personality with a name, or --dump with a recording")
    if args.dump is not None:
        return await _serve_dump(args)
    if args.personality is not None:
        return await _serve_personality(args)
    rig = Rig(load(scenario_path(args.file)))
    await rig.start()
    with tempfile.TemporaryDirectory(prefix="hil-", ignore_cleanup_errors=True) as directory:
        site = rig.site_file(Path(directory))
        _tell(args, {"ports": rig.ports(), "site_file": str(site), "directory": directory})
        try:
            await rig.run(args.seconds if args.seconds is not None else float("inf"))
        finally:
            await rig.stop()
    return 0


async def _serve_personality(args: argparse.Namespace) -> int:
    rig = Rig(on_show(args.personality, serial=args.serial))
    await rig.start()
    units = {name: unit.unit_id for name, unit in rig.units.items()}
    _tell(args, {"ports": rig.ports(), "units": units})
    try:
        await rig.run(args.seconds if args.seconds is not None else float("inf"))
    finally:
        await rig.stop()
    return 0


async def _serve_dump(args: argparse.Namespace) -> int:
    units: dict[int, list[Recording]] = {}
    for path in args.dump:
        recorded = recorded_in(Path(path))
        units.setdefault(1 if recorded.get("unit_id") is None else int(recorded["unit_id"]), []).append(recorded)
    endpoint = Endpoint("dump")
    for unit_id, parts in units.items():
        endpoint.units[unit_id] = Unit("dump", unit_id, Replay(*parts))
    await endpoint.listen()
    first = next(iter(units))
    _tell(args, {"ports": {"dump": endpoint.port}, "unit": first, "device": units[first][0].get("device", "")})
    try:
        await asyncio.wait_for(asyncio.get_running_loop().create_future(), args.seconds)
    except TimeoutError:
        return 0
    finally:
        await endpoint.stop()
    return 0


def _tell(args: argparse.Namespace, where: Mapping[str, object]) -> None:
    text = json.dumps(where)
    print(text, flush=True)
    if args.ports_file:
        partial = Path(args.ports_file + ".new")
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(args.ports_file)


async def run(args: argparse.Namespace) -> int:
    """Scenarios one after another."""
    codes = []
    for name in args.file:
        observer = report.Lines() if args.json_lines else None
        result = await run_scenario(
            scenario_path(name),
            controller=args.controller,
            observer=observer,
            seconds=args.seconds,
            by_s=args.by_s,
            repeat=args.repeat,
        )
        _show(args, result)
        codes.append(UNSUPPORTED if result.unsupported else 0 if result.passed else 1)
    return 1 if 1 in codes else max(codes, default=0)


def _show(args: argparse.Namespace, result: Result) -> None:
    if args.csv:
        report.write_csv(Path(args.csv), result.snapshots)
    if args.json_lines:
        print(json.dumps({"kind": "result", **report.as_json(result)}), flush=True)
    elif args.json:
        print(json.dumps(report.as_json(result), indent=1), flush=True)
    else:
        if args.verbose:
            print("\n".join(result.log))
        print(report.text(result), flush=True)
    if not result.passed and args.verbose and result.stderr:
        print(result.stderr[-4000:], file=sys.stderr)


async def show_list(_: argparse.Namespace) -> int:
    """Name, seconds, what it is about; what this machine lacks."""
    for path in sorted(SHELF.glob("*.yaml")):
        scenario = load(path)
        missing = lacking(scenario)
        print(f"{path.stem:32} {scenario.duration_s:5.0f} s  {' '.join(scenario.about.split())}")
        if missing:
            print(f"{'':32} unsupported here: {missing}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hil", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    running = verbs.add_parser("run", help="run scenarios against the real daemon process")
    running.add_argument("file", nargs="+", help="a scenario file, or the name of one of `list`")
    running.add_argument(
        "--controller", help="command line with {config}; default: this Python -m derctl run -c {config}"
    )
    running.add_argument("--json", action="store_true", help="the verdict as JSON")
    running.add_argument(
        "--json-lines", action="store_true", help="a line per second while it runs, then the verdict"
    )
    running.add_argument("--csv", help="write every signal of every plant step")
    running.add_argument("--for", dest="seconds", type=float, help="seconds, instead of the scenario's own duration")
    running.add_argument("--by", dest="by_s", type=float, help="the same: over, with its end, at this monotonic time")
    running.add_argument("--repeat", action="store_true", help="the timeline again and again, until interrupted")
    running.add_argument("-v", "--verbose", action="store_true", help="the log, and the daemon's stderr on failure")
    running.set_defaults(act=run)
    listing = verbs.add_parser("list", help="the scenarios on the shelf")
    listing.set_defaults(act=show_list)
    serving = verbs.add_parser("serve", help="plant and servers without a controller")
    serving.add_argument("file", nargs="?", help="a scenario file, or the name of one of `list`")
    serving.add_argument("--dump", metavar="FILE", nargs="+", help="one recorded device instead, by its files")
    serving.add_argument("--personality", metavar="NAME", help="one device of hil/README.md's list, on a small plant")
    serving.add_argument("--serial", action="store_true", help="that one on a serial line, where it has one")
    serving.add_argument("--ports-file", help="write the same JSON there")
    serving.add_argument("--for", dest="seconds", type=float, help="seconds; default: until interrupted")
    serving.set_defaults(act=serve)
    return parser


async def _until_told(args: argparse.Namespace) -> int:
    """SIGTERM ends a run as Ctrl-C does: the daemon, the broker and the directory go with it."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    code: int = await args.act(args)
    return code


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    args = _parser().parse_args(argv)
    try:
        code = asyncio.run(_until_told(args))
    except ScenarioError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    except FileNotFoundError as wrong:
        print(f"{wrong.filename}: there is no such file; `python -m hil list` names the scenarios", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    except BrokenPipeError:
        return UNREAD
    finally:
        _drop_unread()
    return code


def _drop_unread() -> None:
    """What nobody will read, as after `| head`: else the interpreter tries to write it again at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
