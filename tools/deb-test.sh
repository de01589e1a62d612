#!/bin/sh
# `deb-test.sh PYTHON DEB…`: lintian finds no error in any of them, and the one for this machine is installed on a clean
# Debian root (debootstrap), where systemd boots, the service starts on its sandbox and reads a simulated site, is upgraded
# and keeps its site file, is removed and purged and says what stays in which device. PYTHON: of an environment with hil.
# Needs root. ROOT: a folder with such a root, to be copied instead of fetched.
set -eu
python=$1
shift
source=$(cd "$(dirname "$0")/.." && pwd)
test "$(id -u)" = 0 || { echo "deb-test needs root: debootstrap and a container" >&2 && exit 1; }
"$source/tools/apt.sh" debootstrap=debootstrap lintian=lintian systemd-nspawn=systemd-container
here=$(dpkg --print-architecture)
work=$(mktemp -d)
root=$work/root hil='' box=''

end() {
    test -z "$box" || kill "$box" 2>/dev/null || true
    test -z "$hil" || kill "$hil" 2>/dev/null || true
    wait
    rm -rf --one-file-system "$work"
}
trap end EXIT
trap 'exit 130' INT TERM
step() { echo "== $*"; }
fail() { echo "FAILED: $*" >&2 && exit 1; }

deb=
for each; do
    step "lintian $(basename "$each")"
    lintian --fail-on error "$each"
    case $each in *_"$here".deb) deb=$each ;; esac
done
test -n "$deb" || fail "none of them is for $here"

step "a clean Debian"
if test -n "${ROOT:-}"; then
    cp -a "$ROOT" "$root"
else
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,python3,ca-certificates \
        "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" >"$work/debootstrap.log" 2>&1 || { cat "$work/debootstrap.log" >&2 && exit 1; }
fi
cp "$deb" "$root/srv/derctl.deb"

# Where no systemd runs there is no tree of groups for the one of the container: it gets one that nobody else sees.
groups=true
test -d /run/systemd/system || groups='mount -t cgroup2 none /sys/fs/cgroup'
unshare -m --propagation private sh -c "$groups && exec systemd-nspawn -q -D '$root' --register=no --keep-unit --boot --console=pipe" \
    >"$work/box.log" 2>&1 &
box=$!
leader=
tries=0
while test -z "$leader"; do
    tries=$((tries + 1))
    test "$tries" -lt 200 || { cat "$work/box.log" >&2 && fail "the container does not boot"; }
    sleep 0.1
    nspawn=$(pgrep -P "$box" -x systemd-nspawn || echo "$box")
    leader=$(pgrep -P "$nspawn" -x systemd | head -n 1 || true)
done
in_box() { nsenter -t "$leader" -m -u -i -p -- env PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
until_true() { # SECONDS COMMAND…
    most=$1
    shift
    begun=$(date +%s)
    until "$@" >/dev/null 2>&1; do
        test $(($(date +%s) - begun)) -lt "$most" || fail "not within $most s: $*"
        sleep 0.5
    done
}
until_true 60 in_box systemctl is-active multi-user.target

step "installed without a site file: it waits for one"
in_box dpkg -i /srv/derctl.deb >"$work/install.log" 2>&1 || { cat "$work/install.log" >&2 && exit 1; }
grep -q "no site file yet" "$work/install.log" || fail "it does not say what comes next"
in_box systemctl is-enabled derctl >/dev/null || fail "it is not started at boot"
in_box derctl --version
in_box derctl doctor >"$work/doctor.txt" && fail "doctor calls a service well that rests"
test -e "$root/usr/share/man/man1/derctl-check.1.gz" || fail "no man page"

step "started on a simulated site"
(cd "$source" && exec "$python" -m hil serve hil/scenarios/o6_two_masters.yaml --ports-file "$work/ports.json") >"$work/hil.log" 2>&1 &
hil=$!
until_true 60 test -s "$work/ports.json"
"$python" - "$work/ports.json" "$root/etc/derctl/site.yaml" <<'END'
import json, sys
import yaml

made = yaml.safe_load(open(json.load(open(sys.argv[1]))["site_file"]))
made["site"] |= {"state_dir": "/var/lib/derctl", "socket": "/run/derctl/derctl.sock", "mode": "control", "clock_sync": "assume"}
made.pop("mqtt", None)
yaml.safe_dump(made, open(sys.argv[2], "w"))
END
in_box chown root:derctl /etc/derctl/site.yaml
in_box chmod 640 /etc/derctl/site.yaml
in_box derctl check --live --for 1s || true
in_box systemctl start derctl
until_true 30 in_box derctl status
in_box systemctl show derctl -p ActiveState -p User -p MainPID
in_box sh -c 'test "$(stat -c %U /proc/$(systemctl show derctl -p MainPID --value))" = derctl' || fail "it is not its own user's"
limited() { in_box derctl limit 1500 pv1 1h && in_box sh -c 'derctl release --list --json | grep -q p_ceiling_w'; }
until_true 60 limited
in_box derctl doctor || true

step "upgraded: the site file is kept, and the new version runs"
echo "# a line of somebody's own" >>"$root/etc/derctl/site.yaml"
before=$(sha256sum <"$root/etc/derctl/site.yaml") pid=$(in_box systemctl show derctl -p MainPID --value)
in_box dpkg -i /srv/derctl.deb
test "$before" = "$(sha256sum <"$root/etc/derctl/site.yaml")" || fail "the upgrade changed the site file"
until_true 30 in_box derctl status
test "$pid" != "$(in_box systemctl show derctl -p MainPID --value)" || fail "the old version still runs"

step "an upgrade over a site file that can't be used leaves the running one"
cp -p "$root/etc/derctl/site.yaml" "$work/site.yaml"
echo "nonsense: true" >>"$root/etc/derctl/site.yaml"
pid=$(in_box systemctl show derctl -p MainPID --value)
in_box dpkg -i /srv/derctl.deb
test "$pid" = "$(in_box systemctl show derctl -p MainPID --value)" || fail "it was restarted into a file that it can't use"
cat "$work/site.yaml" >"$root/etc/derctl/site.yaml"

step "removed: it stops, and says what stays"
in_box dpkg -r derctl | tee "$work/remove.log"
grep -q pv1 "$work/remove.log" || fail "it does not say what stands in pv1"
test -e "$root/etc/derctl/site.yaml" || fail "a removal took the site file"
test ! -e "$root/usr/lib/derctl" || fail "something of it is left: $(find "$root/usr/lib/derctl" | head -n 3)"

step "purged: nothing is left, and it says so once more"
in_box dpkg -P derctl | tee "$work/purge.log"
grep -q pv1 "$work/purge.log" || fail "it does not say what stays in pv1"
left=$(find "$root/etc" "$root/usr" "$root/var/lib" "$root/lib" -path '*derctl*' ! -path '*/dpkg/*' | head -n 5)
test -z "$left" || fail "left: $left"
echo "deb-test: all held"
