#!/bin/sh
# Installs the daemon as a service: user, /opt/derctl, unit, examples, and `derctl` on PATH. Run again after an update: it
# neither enables nor restarts anything, and never changes what /etc/derctl/site.yaml says.
#
#   install.sh [--wheel FILE --sha256 HASH] [--root DIR]
#                                                    --wheel: install this, if that is its hash, instead of building it
#                                                    from the sources beside
#   install.sh --uninstall [--leave-limits] [--root DIR]
#                                                    --leave-limits: remove it although devices hold what derctl wrote
# --root: below DIR, an image that becomes a machine's root. It has the same Python in the same place; where it is for
# another processor, run install.sh in it (chroot).
set -eu
umask 022 # else the service could not read what a careful root installs
source=$(cd "$(dirname "$0")/.." && pwd)
root='' wheel='' sha256='' uninstall='' leave=''

while test $# -gt 0; do
    case $1 in
    --root) root=$(mkdir -p "$2" && cd "$2" && pwd -P) && shift 2 ;;
    --wheel) wheel=$(cd "$(dirname "$2")" && pwd)/$(basename "$2") && shift 2 ;;
    --sha256) sha256=$2 && shift 2 ;;
    --uninstall) uninstall=yes && shift ;;
    --leave-limits) leave=yes && shift ;;
    *) sed -n '2,11s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    esac
done

refuse() { echo "$*" >&2 && exit 1; }
test -z "$wheel" || test -n "$sha256" || refuse "--wheel needs --sha256 HASH, from who published the wheel, not from beside it."
if test -z "$root"; then
    test "$(id -u)" = 0 || refuse "Installing needs root: sudo $0"
    command -v systemd-sysusers >/dev/null || refuse "derctl is a service of systemd, and there is none here."
fi

place=/opt/derctl # where it runs, and not the folder where it is built
opt=$root$place etc=$root/etc/derctl unit=$root/etc/systemd/system/derctl.service link=$root/usr/local/bin/derctl
users=$root/etc/sysusers.d/derctl.conf rights=$root/etc/tmpfiles.d/derctl.conf

systemd_runs() { test -z "$root" && test -d /run/systemd/system; }
link_is_ours() { test "$(readlink "$link")" = $place/bin/derctl; }
derctl() { "$opt/bin/python" -I "$opt/bin/derctl" "$@"; }

# Says what devices hold, while it can still be changed. True: nothing of derctl's.
all_given_back() {
    if test -e "$opt/pyvenv.cfg" && test -e "$etc/site.yaml"; then
        derctl release --list -c "$etc/site.yaml"
    else
        ! grep -s '"since"' "$root/var/lib/derctl/written.json"
    fi
}

if test -n "$uninstall"; then
    if ! all_given_back; then
        test -n "$leave" || refuse "
Not removed: derctl is in control, or devices hold what it wrote, or that can't be told (see above). Either type

    sudo derctl release --lift      (disarms, and raises each limit to its fallback), and then the same again; or
    sudo $0 --uninstall --leave-limits

which leaves each limit where it is. Nothing of derctl's will lift it later."
        # Not for an image: its site file may name the devices of this machine's own site.
        if test -z "$root" && test -e "$etc/site.yaml"; then
            echo "Stays in the devices:"
            derctl release --within 8 -c "$etc/site.yaml" | sed '/release --lift/d'
        fi
    fi
    if systemd_runs && test -e "$unit"; then
        systemctl disable --now derctl.service
    fi
    rm -f "$unit" "$(dirname "$unit")/multi-user.target.wants/derctl.service" "$users" "$rights"
    rm -rf "$etc/examples"
    if link_is_ours; then rm -f "$link"; fi
    if test -e "$opt/pyvenv.cfg"; then rm -rf "$opt"; fi
    if systemd_runs; then systemctl daemon-reload; fi
    echo "Removed. Still there: $root/etc/derctl, $root/var/lib/derctl, the user derctl, and its log in the journal."
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
    test -n "$root" || refuse "$python is in a home directory, which the service can't see: PYTHON=/path/to/another $0"
    ;;
esac

# Packages are built for this Python and this processor, so an image must have the same; an empty folder will.
library=$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
suffix=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
if test -n "$root" && test -d "$root/usr/bin" && ! ls "$root$library"/lib-dynload/*"$suffix" >/dev/null 2>&1; then
    refuse "$root has no Python like $python (*$suffix in $library). Run install.sh in it (chroot), or with PYTHON=…"
fi

# Everything is fetched, checked, built and tried before what is installed is touched.
work=$(mktemp -d)
new=$opt.new
trap 'rm -rf "$work" "$new"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/wheels"
if test -n "$wheel"; then
    cp "$wheel" "$work/wheels/"
    echo "$sha256  $work/wheels/$(basename "$wheel")" | sha256sum --check --status ||
        refuse "$wheel is not what was published: its SHA-256 is $(sha256sum "$wheel" | cut -d' ' -f1)"
fi
# Only ready wheels, by hash: a package that is built here would fetch what it is built with unchecked, and run it as root.
PIP_NO_BINARY='' PIP_ONLY_BINARY=:all: "$source/tools/venv.sh" "$work/build" "$source/requirements-build.lock" "$python"
pip() { "$source/tools/pip.sh" "$work/build/bin/python" "$@"; }
pip wheel --quiet --no-deps --only-binary :all: --require-hashes --wheel-dir "$work/wheels" \
    -r "$source/requirements-run.lock" || refuse "
Not installed: see above. Where it says 'No matching distribution', there is no ready package for this processor
($(uname -m)) and this Python, and none is built here. A Raspberry Pi needs the 64-bit system (aarch64, not armv7l)."
if test -z "$wheel"; then
    pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/wheels" "$source"
fi

install -d -m 755 "$(dirname "$opt")" "$(dirname "$unit")" "$(dirname "$users")" "$(dirname "$rights")" "$(dirname "$link")"
"$python" -m venv --clear --without-pip --prompt derctl "$new"
pip --python "$new/bin/python" install --quiet --no-index --no-deps --no-compile "$work"/wheels/*.whl
"$new/bin/python" -I "$source/systemd/settle.py" "$new" "$place"
"$new/bin/python" -I "$new/bin/derctl" --version
rm -rf "$opt.old"
if test -e "$opt"; then mv "$opt" "$opt.old"; fi
mv "$new" "$opt"
rm -rf "$opt.old"

install -m 644 "$source/systemd/derctl.sysusers" "$users"
install -m 644 "$source/systemd/derctl.tmpfiles" "$rights"
install -m 644 "$source/systemd/derctl.service" "$unit"
install -d -m 750 "$etc" "$etc/examples"
for example in "$source"/config/*.yaml; do
    if test -e "$example"; then install -m 644 "$example" "$etc/examples/"; fi
done
if link_is_ours || ! ls -d "$link" >/dev/null 2>&1; then
    ln -sfn $place/bin/derctl "$link"
else
    echo "$link is something else and stays: this derctl is $place/bin/derctl" >&2
fi
# An image makes its user at the first boot, unless it has booted before (ConditionNeedsUpdate=): so now, where that can be.
if test -z "$root" || { test -e "$root/etc/passwd" && test "$(id -u)" = 0 && command -v systemd-sysusers >/dev/null; }; then
    systemd-sysusers ${root:+--root="$root"} derctl.conf
    systemd-tmpfiles ${root:+--root="$root"} --create derctl.conf
fi
if systemd_runs; then systemctl daemon-reload; fi

if test -n "$root"; then
    cat <<END
The machine that $root becomes needs $(readlink -f "$opt/bin/python") (*$suffix).
Its site file: $etc/site.yaml. Started at boot: systemctl --root=$root enable derctl
END
elif test -e "$etc/site.yaml"; then
    cat <<END
Updated. What runs is still the old one; limits stand while it is restarted:
    sudo derctl check && sudo systemctl restart derctl
END
else
    cat <<END
Next: a site file (derctl scan HOST prints its rows for a device), then the service, which observes until it is armed:
    sudo install -g derctl -m 640 $etc/examples/house.yaml $etc/site.yaml
    sudoedit $etc/site.yaml
    sudo derctl check && sudo systemctl enable --now derctl
    sudo derctl status          (without sudo: sudo adduser YOU derctl, and log in again)
END
fi
