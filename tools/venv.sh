#!/bin/sh
# `venv.sh DIR LOCK [PYTHON]`: a virtual environment with what LOCK lists, each file checked against its hash, and
# this project, editable. An environment that is there and works is brought up to date.
set -eu
dir=$1 lock=$2 python=${3:-}
here=$(dirname "$0")

if ! "$dir/bin/python" -m pip --version >/dev/null 2>&1; then
    if test -z "$python" && ! python=$("$here/find-python.sh"); then
        echo "derctl needs Python 3.11 or newer; none was found. On Debian 12: sudo apt-get install python3" >&2
        exit 1
    fi
    echo "Making $dir with $python"
    if ! "$python" -m venv --clear "$dir" >"$dir.log" 2>&1; then
        # Debian keeps ensurepip in a package of its own.
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        "$python" -c 'import ensurepip' 2>/dev/null || "$here/apt.sh" "no-ensurepip=python$version-venv"
        "$python" -m venv --clear "$dir" >"$dir.log" 2>&1 || { cat "$dir.log" >&2; rm -f "$dir.log"; exit 1; }
    fi
    rm -f "$dir.log"
fi

pip() { PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore "$dir/bin/python" -m pip --no-input "$@"; }

echo "Installing from $lock"
pip install --quiet --require-hashes -r "$lock"
pip install --quiet --no-deps --no-build-isolation --editable .
