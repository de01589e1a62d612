"""What only reads can't write: no verb but those that write loads what writes to a device."""

from __future__ import annotations

import subprocess
import sys

from derctl.cli import VERBS

WRITES = {"run", "identify", "verify", "release"}
DISPATCH = "derctl.daemon.actuate.dispatch"
SCRIPT = f"""
import sys
from derctl.cli import VERBS
for name in sys.argv[1:]:
    VERBS[name].load()
    if {DISPATCH!r} in sys.modules:
        sys.exit(name + " loads it")
"""


def test_a_verb_that_only_reads_never_loads_the_dispatch() -> None:
    assert {*VERBS} >= WRITES
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *sorted(VERBS.keys() - WRITES)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
