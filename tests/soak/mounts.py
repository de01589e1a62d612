"""A daemon with mounts of its own, which go with it: a small disk for its state, a resolv.conf of the attack's."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest

DISK_KB = 128


def controller(*before: str) -> str:
    """A command line for hil: these shell commands with mounts of its own, then the daemon in their place."""
    flags = "-m" if os.geteuid() == 0 else "-rm"
    if subprocess.run(["unshare", flags, "true"], capture_output=True, check=False).returncode != 0:
        pytest.fail("NOT TESTED: no mount namespace for this user here (unshare -m as root, -rm as another)")
    steps = " && ".join([*before, f"exec {shlex.quote(sys.executable)} -m derctl run -c {{config}}"])
    return shlex.join(["unshare", flags, "sh", "-c", steps])


def small_disk(state: object) -> str:
    """Its state directory is a tmpfs of DISK_KB."""
    place = shlex.quote(str(state))
    return f"mkdir -p {place} && mount -t tmpfs -o size={DISK_KB}k none {place}"
