"""Exit codes of docs/interfaces.md section 5 (sysexits.h where it has one)."""

OK = 0
NO = 1
USAGE = 2
UNREACHABLE = 69
BUG = 70
BUSY = 75
CONFIG = 78
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""

MEANINGS: dict[int, str] = {
    OK: "done; for demo --for, every expectation held",
    NO: "the answer is no: refused, not released, an expectation failed",
    USAGE: "the command line is wrong",
    UNREACHABLE: "the device or the daemon can't be reached",
    BUG: "a bug in derctl",
    BUSY: "another instance holds this site",
    CONFIG: "the site file can't be used",
    INTERRUPTED: "ended by Ctrl-C",
}
"""For `derctl --help`."""
