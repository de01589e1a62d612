"""One verb a file; VERBS lists them. What only reads can't write: it never imports the daemon's dispatch."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType

from derctl import __version__
from derctl.cli import guide
from derctl.cli.exits import BUG, CONFIG, INTERRUPTED, MEANINGS, NO, OK, UNREACHABLE, USAGE
from derctl.cli.plain import wrapped
from derctl.cli.reader import drop_unread
from derctl.core.dataclass import dataclass
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
    "check": Verb("check", "check a site file without its devices; with --live, with them"),
    "profiles": Verb("profiles", "makers' habits that derctl knows: list, show NAME, check FILE"),
    "schema": Verb("schema", "print the site file's JSON schema, for editors"),
    "scan": Verb("scan", "who answers on a network, a serial line or at one place, and what to write for it"),
    "inspect": Verb("inspect", "everything one device says, and what derctl knows of its kind"),
    "init": Verb("init", "write a site file from a scan, with questions asked once"),
    "read": Verb("read", "read SunSpec models: raw, scaled and unit side by side"),
    "identify": Verb("identify", "step each DER: how it answers, what it moves, whether the meter follows"),
    "reload": Verb("reload", "let the running daemon read its site file again"),
    "status": Verb("status", "live state of the running daemon"),
    "doctor": Verb("doctor", "what is not well on a running site, and what to do about it"),
    "shadow": Verb("shadow", "what derctl would have done while it only observed: shadow report"),
    "why": Verb("why", "why a DER gives what it gives, in one paragraph"),
    "verify": Verb("verify", "prove each DER's fail-safe: tell it something harmless, fall silent, and measure"),
    "arm": Verb("arm", "from observing to control, if nothing stands against it"),
    "disarm": Verb("disarm", "from control to observing; what was written is released"),
    "limit": Verb("limit", "limit a DER or the site for a time: derctl limit 3000 pv1 10m"),
    "cap": Verb("cap", "limit what the site exports, imports or generates: derctl cap export 3kW 2h"),
    "schedule": Verb("schedule", "send an operating envelope or a battery's plan from a file"),
    "stop": Verb("stop", "emergency stop: every DER to 0 W, until derctl stop --lift"),
    "clear": Verb("clear", "drop the operator's limits and setpoints"),
    "replace": Verb("replace", "take the device that answers in a DER's place for it"),
    "release": Verb("release", "move each DER that derctl wrote to its declared fallback"),
    "command": Verb("command", "send a command to the running daemon over its socket"),
    "audit": Verb("audit", "who asked for what, and whether that log is as it was written"),
    "ledger": Verb("ledger", "the energy by intervals: export it, and verify what was exported"),
    "demo": Verb("demo", "the simulated site, the daemon and a live view, in one terminal"),
    "completion": Verb("completion", "what bash or zsh completes behind derctl"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code of docs/interfaces.md section 5."""
    try:
        return _called(list(sys.argv[1:] if argv is None else argv))
    except BrokenPipeError:  # who reads it has left, as `head` does
        return OK
    finally:
        drop_unread()


def _called(arguments: list[str]) -> int:
    if not arguments:
        _verbs().print_help(sys.stderr)
        return USAGE
    if arguments[0] not in VERBS:
        _like(arguments[0])
        _verbs().parse_args(arguments)  # ends here: --help, --version, or a verb that is none
    name, *rest = arguments
    module, parser = VERBS[name].load(), parser_of(name)
    args = parser.parse_intermixed_args(rest)
    try:
        return _guarded(module.run, args)
    except argparse.ArgumentError as error:
        parser.error(str(error))


def _like(word: str) -> None:
    """Which verb was meant, where one is spelt much like it."""
    from difflib import get_close_matches

    for near in get_close_matches(word, VERBS, n=1):
        print(f"derctl {word}: did you mean derctl {near}?", file=sys.stderr)


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of one verb: what its --help, its man page and its completion are made of."""
    parser = argparse.ArgumentParser(
        prog=f"derctl {name}",
        description=VERBS[name].help,
        epilog=guide.below(name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    VERBS[name].load().add(parser)
    return parser


def _verbs() -> argparse.ArgumentParser:
    """What `derctl --help` prints: how to begin, the verbs by what they are for, and the exit codes."""
    codes = "\n".join(f"  {code:>3}  {text}" for code, text in MEANINGS.items())
    parts = []
    for title, names in guide.grouped(VERBS).items():
        parts.append("\n".join([f"{title}:", *(f"    {name:<11} {VERBS[name].help}" for name in names)]))
    parser = argparse.ArgumentParser(
        prog="derctl",
        usage="derctl [-h] [--version] VERB ...",
        description=f"Keeps sites inside their grid limits.\n\n{guide.BEGIN}",
        epilog="\n\n".join([*parts, "`derctl VERB --help` explains each, with examples.", f"exit codes:\n{codes}"]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"derctl {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", help=argparse.SUPPRESS)
    for name in VERBS:
        verbs.add_parser(name)
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
    except KeyboardInterrupt:
        return INTERRUPTED
    except (argparse.ArgumentError, BrokenPipeError):
        raise
    except Exception:
        traceback.print_exc()
        print("this is a bug in derctl: please report it with the lines above", file=sys.stderr)
        return BUG


def _complain(text: str) -> None:
    """To stderr, without what a device's text could do to a terminal."""
    print("\n".join(clean(line) for line in text.splitlines()), file=sys.stderr)
