#!/bin/sh
# Sees that programs are there: `apt.sh PROGRAM=PACKAGE …` installs with apt the packages of those that are missing,
# and leaves no service of theirs running, now or after the next boot. What is there already is not touched.
# Where it may not install (neither root nor sudo without a password) it says what to type, exit code 1.
set -eu
PATH=$PATH:/usr/sbin:/sbin
policy=/usr/sbin/policy-rc.d

missing=
for pair; do
    command -v "${pair%%=*}" >/dev/null 2>&1 || missing="$missing ${pair#*=}"
done
test -n "$missing" || exit 0

refuse() {
    printf '\nMissing on this machine:%s. %s Type:\n\n    %s%s\n\nand then the same make command again.\n\n' \
        "$missing" "$1" "$2" "$missing" >&2
    exit 1
}

command -v apt-get >/dev/null 2>&1 || refuse "This is not a Debian." "(your package manager's install)"
if test "$(id -u)" = 0; then
    root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    root="sudo -n"
else
    refuse "Installing needs root." "sudo apt-get install"
fi

as_root() { $root env DEBIAN_FRONTEND=noninteractive "$@" </dev/null; }

made_policy=
tidy() { test -z "$made_policy" || as_root rm -f "$policy"; }
trap tidy EXIT
trap 'exit 130' INT TERM

# Debian starts a package's service on installation unless policy-rc.d says no (101). One that is there stays.
if ! test -e "$policy"; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
fi
echo "Installing with apt:$missing"
log=$(mktemp)
install() { as_root apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1; }
if ! install && ! { as_root apt-get update -q >"$log" 2>&1 && install; }; then
    cat "$log" >&2
    rm -f "$log"
    refuse "apt-get could not install it." "sudo apt-get update && sudo apt-get install"
fi
rm -f "$log"
case $missing in
*mosquitto*)
    if command -v systemctl >/dev/null 2>&1; then
        as_root systemctl disable mosquitto.service >/dev/null 2>&1 || true
    fi
    ;;
esac
