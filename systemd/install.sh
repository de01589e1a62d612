#!/bin/sh
# Installs the daemon as a service: user, /opt/derctl, unit, examples. Run again after an update; it neither enables nor
# restarts anything, and never touches /etc/derctl/site.yaml.
#
#   install.sh [--wheel FILE] [--root DIR]   --wheel: install this instead of building it from the sources beside
#   install.sh --uninstall [--root DIR]      --root: below DIR, without user and systemd (for tests and images)
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
root='' wheel='' uninstall=''

while test $# -gt 0; do
    case $1 in
    --root) root=$(mkdir -p "$2" && cd "$2" && pwd) && shift 2 ;;
    --wheel) wheel=$(cd "$(dirname "$2")" && pwd)/$(basename "$2") && shift 2 ;;
    --uninstall) uninstall=yes && shift ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    esac
done
if test -z "$root" && test "$(id -u)" != 0; then
    echo "Installing needs root: sudo $0" >&2
    exit 1
fi

opt=$root/opt/derctl etc=$root/etc/derctl unit=$root/etc/systemd/system/derctl.service
users=$root/etc/sysusers.d/derctl.conf

systemd_runs() { test -z "$root" && test -d /run/systemd/system; }

if test -n "$uninstall"; then
    if systemd_runs && test -e "$unit"; then
        systemctl disable --now derctl.service
    fi
    rm -f "$unit" "$users"
    rm -rf "$etc/examples"
    if test -e "$opt/pyvenv.cfg"; then rm -rf "$opt"; fi
    if systemd_runs; then systemctl daemon-reload; fi
    echo "Removed. $root/etc/derctl, $root/var/lib/derctl and the user derctl are still there."
    exit 0
fi

# The service sees no home directory, so its Python must not be in one.
python=${PYTHON:-}
if test -z "$python"; then
    python=/usr/bin/python3
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || python=$("$source/tools/find-python.sh")
fi
case $(readlink -f "$(command -v "$python")") in
/home/* | "$HOME"/*)
    if test -z "$root"; then
        echo "$python is in a home directory, which the service can't see: PYTHON=/path/to/another $0" >&2
        exit 1
    fi
    ;;
esac

# Everything is fetched, checked and built before what is installed is touched.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
"$source/tools/venv.sh" "$work/build" "$source/requirements-build.lock" "$python"
pip() { "$source/tools/pip.sh" "$@"; }
pip "$work/build/bin/python" wheel --quiet --no-deps --require-hashes --wheel-dir "$work/wheels" -r "$source/requirements-run.lock"
if test -n "$wheel"; then
    cp "$wheel" "$work/wheels/"
else
    pip "$work/build/bin/python" wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/wheels" "$source"
fi

install -d -m 755 "$(dirname "$opt")" "$(dirname "$unit")" "$(dirname "$users")"
"$python" -m venv --clear "$opt"
pip "$opt/bin/python" install --quiet --no-index --no-deps "$work"/wheels/*.whl

install -m 644 "$source/systemd/derctl.sysusers" "$users"
install -m 644 "$source/systemd/derctl.service" "$unit"
install -d -m 750 "$etc"
install -d -m 755 "$etc/examples"
for example in "$source"/config/*.yaml; do
    if test -e "$example"; then install -m 644 "$example" "$etc/examples/"; fi
done
if test -z "$root"; then
    systemd-sysusers "$users"
    chown root:derctl "$etc"
fi
if systemd_runs; then systemctl daemon-reload; fi

"$opt/bin/derctl" --version
cat <<END
Next: write $root/etc/derctl/site.yaml (examples beside it), owned by root:derctl with mode 640, then
    /opt/derctl/bin/derctl check -c /etc/derctl/site.yaml
    systemctl enable --now derctl       (after an update: systemctl restart derctl)
END
