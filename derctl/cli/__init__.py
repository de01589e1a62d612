"""One verb a file; VERBS lists them. What only reads can't write: it never imports the daemon's dispatch."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from derctl import __version__
from derctl.cli.exits import BUG, CONFIG, NO, UNREACHABLE
from derctl.errors import BusError, CommandError, ConfigError, DeviceError, LinkError


@dataclass(frozen=True, slots=True)
class Verb:
    """module has `add(parser)` and `run(args) -> int`."""

    module: str
    help: str

    def load(self) -> ModuleType:
        return import_module(f"derctl.cli.{self.module}")


INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""

VERBS: dict[str, Verb] = {
    "run": Verb("run", "run the daemon on a site file"),
    "check": Verb("check", "check a site file; touches no device"),
    "schema": Verb("schema", "print the site file's JSON schema, for editors"),
    "scan": Verb("scan", "what answers at host[:port]: chain of models, identity, ratings"),
    "read": Verb("read", "read SunSpec models: raw, scaled and unit side by side"),
    "status": Verb("status", "live state of the running daemon"),
    "release": Verb("release", "move each DER that derctl wrote to its declared fallback"),
    "command": Verb("command", "send a command to the running daemon over its socket"),
    "demo": Verb("demo", "the simulated site, the daemon and a live view, in one terminal"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code of docs/interfaces.md section 5."""
    parser = argparse.ArgumentParser(prog="derctl", description="Keeps sites inside their grid limits.")
    parser.add_argument("--version", action="version", version=f"derctl {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    arguments = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in arguments if word in VERBS), None)
    run: Callable[[argparse.Namespace], int] | None = None
    for name, verb in VERBS.items():
        child = verbs.add_parser(name, help=verb.help, description=verb.help)
        if name == chosen:
            module = verb.load()
            module.add(child)
            run = module.run
    args = parser.parse_args(arguments)
    assert run is not None
    return _guarded(run, args)


def _guarded(run: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    try:
        return run(args)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return CONFIG
    except (BusError, DeviceError, LinkError) as error:
        print(error, file=sys.stderr)
        return UNREACHABLE
    except CommandError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return NO
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        print("this is a bug in derctl: please report it with the lines above", file=sys.stderr)
        return BUG
