"""What `--help`, the man pages and the completion say beside a verb's options: its group, examples and exit codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from derctl.cli.exits import BUSY, CONFIG, MEANINGS, NO, OK, UNREACHABLE, USAGE
from derctl.cli.plain import wrapped

GROUPS: Mapping[str, tuple[str, ...]] = {
    "before the start": ("scan", "inspect", "read", "init", "check", "identify", "verify", "profiles", "schema"),
    "the running site": ("status", "doctor", "why", "run", "reload", "shadow"),
    "control": ("arm", "disarm", "limit", "cap", "schedule", "stop", "clear", "release", "replace", "command"),
    "records": ("audit", "ledger"),
    "to try it, and the shell": ("demo", "completion"),
}
"""Verbs by what they are for; those that are in none come last."""
BEGIN = """\
to begin:
  derctl demo                         a simulated site in this terminal, no hardware
  derctl scan 192.168.1.20            who answers there, and the rows for the site file
  derctl init 192.168.1.20 --here     asks a few questions and writes site.yaml; at its end, what comes next
  derctl check --live -c site.yaml    with the devices: what to mend before control
  derctl verify -c site.yaml          goes silent to each device: does the site stay safe?
  derctl run -c site.yaml             watches and writes nothing until it is armed
  derctl arm -c site.yaml             in another terminal: what it will write; said again, it controls
  derctl status, derctl doctor        how it is; what is not well, and what to do about it"""
EXAMPLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "run": (("derctl run -c site.yaml --observe", "watch, whatever the site file says"),),
    "check": (
        ("derctl check -c site.yaml", "the file alone"),
        ("derctl check --live --for 1m", "with the devices, read for a minute: a moving sun shows the meter's sign"),
    ),
    "profiles": (("derctl profiles show fronius", "what is known of it, and who says so"),),
    "scan": (
        ("derctl scan 192.168.1.20", "over TCP, port 502"),
        ("derctl scan /dev/ttyUSB0:19200:8E1 -u 3", "unit 3 on a serial line"),
    ),
    "init": (
        ("derctl init 192.168.1.0/24", "scans now, asks, and writes site.yaml for the service"),
        ("derctl init found.json --here", "from a scan that was kept; without the service"),
    ),
    "identify": (
        ("derctl identify -c site.yaml", "thorough: some ten minutes a DER; control does not wait for it"),
        ("derctl identify pv1 --periods 2", "one DER, quicker and less exact"),
    ),
    "verify": (
        (
            "derctl verify -c site.yaml",
            "each without a proof that counts; the daemon may observe meanwhile, or be off",
        ),
        ("derctl verify pv1 --cable", "you pull its cable when you are told"),
    ),
    "arm": (("derctl arm -c site.yaml", "twice within two minutes: the first only shows what will be written"),),
    "read": (("derctl read 192.168.1.20 123", "the controls of model 123, point by point"),),
    "doctor": (
        ("derctl doctor", "the service on this machine"),
        ("derctl doctor --json", "for a monitoring program"),
    ),
    "why": (("derctl why pv1", "who bounds it, and what became of it"),),
    "shadow": (
        ("derctl shadow report", "the last day, or what there is of it"),
        ("derctl shadow report --since 7d --json", "a week, for a program"),
    ),
    "limit": (("derctl limit 3000 pv1 10m", "pv1 gives 3 kW at most for ten minutes"),),
    "cap": (
        ("derctl cap export 3kW 2h", "the owner's word: no more than 3 kW go out for two hours"),
        ("derctl cap --grid export 0 import 5kW 30m", "the grid operator's"),
    ),
    "schedule": (("derctl schedule envelope.json --expires 12h", "an operating envelope, believed for half a day"),),
    "release": (("derctl release --list", "what stands in the devices; nothing is written"),),
    "audit": (
        ("derctl audit show --last 20", "who asked for what lately"),
        ("derctl audit verify", "whether the log is as it was written"),
    ),
    "ledger": (
        ("derctl ledger export --since 2026-11-01 > november.csv", "all intervals since then"),
        ("derctl ledger verify november.csv --key site.pem", "needs the file and the site's public key"),
        ("derctl ledger key", "that key, to hand out once"),
    ),
    "completion": (
        ("derctl completion bash > /etc/bash_completion.d/derctl", "for all users of this machine"),
        ('derctl completion zsh > "${fpath[1]}/_derctl"', "for your zsh"),
    ),
}
CODES: Mapping[str, Mapping[int, str]] = {
    "check": {
        OK: "the file can be used, and with --live nothing has to be mended or looked at",
        NO: "the contract would be broken, or a bus is too slow; with --live: something is to be mended or looked at",
        BUSY: "--live: the daemon of this site runs, and holds its wires",
    },
    "doctor": {OK: "all is well", NO: "something is to be mended or looked at", UNREACHABLE: "no daemon answers"},
    "shadow": {OK: "a report", NO: "nothing is recorded of that time"},
    "arm": {OK: "armed", NO: "it only showed what it will write, or something stands against it"},
    "audit": {
        OK: "shown, or as it was written",
        NO: "not as it was written: the record at which it breaks is named",
        UNREACHABLE: "there is no log",
    },
    "ledger": {
        OK: "exported, or as it was recorded",
        NO: "not as it was recorded: the record at which it breaks is named",
        UNREACHABLE: "there are no records",
    },
    "release": {OK: "all is given back", NO: "something could not be given back, or with --list something stands"},
}
"""Where a code says more of a verb than of all; exits.MEANINGS has the others."""
COMMON = (OK, NO, USAGE, UNREACHABLE, CONFIG)
"""Codes that any verb may end with."""


def grouped(verbs: Iterable[str]) -> dict[str, list[str]]:
    """Names by group, those of none at the end."""
    names = list(verbs)
    found = {title: [name for name in group if name in names] for title, group in GROUPS.items()}
    known = {name for group in GROUPS.values() for name in group}
    rest = [name for name in names if name not in known]
    return found | ({"more": rest} if rest else {})


def codes_of(verb: str) -> dict[int, str]:
    """Its exit codes, in order."""
    own = CODES.get(verb, {})
    return {code: own.get(code, MEANINGS[code]) for code in sorted({*COMMON, *own})}


def below(verb: str) -> str:
    """What stands below a verb's options in its help."""
    lines: list[str] = []
    if examples := EXAMPLES.get(verb):
        lines.append("examples:")
        for command, text in examples:
            lines += [f"  {command}", *wrapped(text, " " * 6)]
        lines.append("")
    lines.append("exit codes:")
    for code, text in codes_of(verb).items():
        lines += wrapped(text, f"  {code:>3}  ")
    return "\n".join(lines)
