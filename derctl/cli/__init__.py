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
from derctl.cli.exits import BUG, CONFIG, INTERRUPTED, MEANINGS, NO, UNREACHABLE
from derctl.cli.plain import wrapped
from derctl.core.text import clean
from derctl.errors import BusError, CommandError, ConfigError, DeviceError, LinkError


@dataclass(frozen=True, slots=True)
class Verb:
    """module has `add(parser)` and `run(args) -> int`."""

    module: str
    help: str

    def load(self) -> ModuleType:
        return import_module(f"derctl.cli.{self.module}")


VERBS: dict[str, Verb] = {
    "run": Verb("run", "run the daemon on a site file"),
    "check": Verb("check", "check a site file; touches no device"),
    "profiles": Verb("profiles", "makers' habits that derctl knows: list, show NAME, check FILE"),
    "schema": Verb("schema", "print the site file's JSON schema, for editors"),
    "scan": Verb("scan", "what answers at host[:port]: chain of models, identity, ratings"),
    "read": Verb("read", "read SunSpec models: raw, scaled and unit side by side"),
    "reload": Verb("reload", "let the running daemon read its site file again"),
    "status": Verb("status", "live state of the running daemon"),
    "why": Verb("why", "why a DER gives what it gives, in one paragraph"),
    "verify": Verb("verify", "prove each DER's fail-safe: tell it something harmless, fall silent, and measure"),
    "arm": Verb("arm", "from observing to control, if nothing stands against it"),
    "disarm": Verb("disarm", "from control to observing; what was written is released"),
    "limit": Verb("limit", "limit a DER or the site for a time: derctl limit 3000 pv1 10m"),
    "clear": Verb("clear", "drop the operator's limits and setpoints"),
    "replace": Verb("replace", "take the device that answers in a DER's place for it"),
    "release": Verb("release", "move each DER that derctl wrote to its declared fallback"),
    "command": Verb("command", "send a command to the running daemon over its socket"),
    "demo": Verb("demo", "the simulated site, the daemon and a live view, in one terminal"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code of docs/interfaces.md section 5."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] not in VERBS:
        _verbs().parse_args(arguments)  # ends here: --help, --version, or a verb that is none
    name, *rest = arguments
    module = VERBS[name].load()
    parser = argparse.ArgumentParser(prog=f"derctl {name}", description=VERBS[name].help)
    module.add(parser)
    args = parser.parse_intermixed_args(rest)
    try:
        return _guarded(module.run, args)
    except argparse.ArgumentError as error:
        parser.error(str(error))


def _verbs() -> argparse.ArgumentParser:
    """What `derctl --help` prints."""
    codes = "\n".join(f"  {code:>3}  {text}" for code, text in MEANINGS.items())
    parser = argparse.ArgumentParser(
        prog="derctl",
        description="Keeps sites inside their grid limits.",
        epilog=f"exit codes:\n{codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"derctl {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in VERBS.items():
        verbs.add_parser(name, help=verb.help)
    return parser


def _guarded(run: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    try:
        return run(args)
    except ConfigError as error:
        _complain(str(error))
        return CONFIG
    except (BusError, DeviceError, LinkError) as error:
        _complain(str(error))
        return UNREACHABLE
    except CommandError as error:
        _complain("\n".join(wrapped(f"{error.code}: {error}", rest="  ")))
        return NO
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except argparse.ArgumentError:
        raise
    except Exception:
        traceback.print_exc()
        print("this is a bug in derctl: please report it with the lines above", file=sys.stderr)
        return BUG


def _complain(text: str) -> None:
    """To stderr, without what a device's text could do to a terminal."""
    print("\n".join(clean(line) for line in text.splitlines()), file=sys.stderr)
