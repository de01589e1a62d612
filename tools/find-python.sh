#!/bin/sh
# Prints the path of a Python: `find-python.sh` the first that is 3.11 or newer, `find-python.sh 3.12` that version.
# Exit code 1 where there is none.
want=${1:-}

fits() {
    "$1" -c 'import sys
want = tuple(int(part) for part in sys.argv[1].split(".") if part)
sys.exit(sys.version_info < (3, 11) or sys.version_info[: len(want)] != want)' "$want" 2>/dev/null
}

if test -n "$want"; then
    set -- "python$want" "$HOME/.pyenv/versions/$want."*/bin/python python3
else
    set -- python3 python3.13 python3.12 python3.11 /usr/bin/python3 python3.14
fi
for candidate; do
    if path=$(command -v "$candidate") && fits "$path"; then
        "$path" -c 'import sys; print(sys.executable)'
        exit 0
    fi
done
exit 1
