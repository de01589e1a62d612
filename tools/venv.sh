#!/bin/sh
# `venv.sh DIR LOCK [PYTHON]`: a virtual environment with what LOCK lists, each file checked against its hash. One that
# is there and works is brought up to date.
#
# --no-deps: the lock is complete, so there is nothing left to decide, and any pip does. One before 23.3 that may decide
# takes the newest `coverage[toml]` beside the locked `coverage`, has no hash for it, and stops.
set -eu
dir=$1 lock=$2 python=${3:-}
here=$(dirname "$0")

if ! "$dir/bin/python" -I -m pip --version >/dev/null 2>&1; then
    if test -z "$python" && ! python=$("$here/find-python.sh"); then
        echo "derctl needs Python 3.11 or newer; none was found. On Debian 12: sudo apt-get install python3" >&2
        exit 1
    fi
    echo "Making $dir with $python"
    # Debian keeps ensurepip in a package of its own.
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        "$here/apt.sh" "no-ensurepip=python$version-venv"
    fi
    "$python" -m venv --clear "$dir"
fi
echo "Installing from $lock"
"$here/pip.sh" "$dir/bin/python" install --quiet --no-deps --require-hashes -r "$lock"
