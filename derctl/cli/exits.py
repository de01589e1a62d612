"""Exit codes of docs/interfaces.md section 5 (sysexits.h where it has one)."""

NO = 1
USAGE = 2
UNREACHABLE = 69
BUG = 70
BUSY = 75
CONFIG = 78
