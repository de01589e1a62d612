#!/bin/sh
# `deb.sh PYTHON ARCH OUT`: a Debian package of derctl in the folder OUT, for amd64 or arm64. PYTHON: of an environment with
# requirements.lock. The package is for the Debian whose python3 is DEB_PYTHON (/usr/bin/python3): it depends on that version.
#
# Only ready packages are taken, by their hashes; nothing is built for the other processor, so none of it is needed here.
set -eu
umask 022
python=$1 arch=$2 out=$(mkdir -p "$3" && cd "$3" && pwd)
source=$(cd "$(dirname "$0")/.." && pwd)
target=${DEB_PYTHON:-/usr/bin/python3}
place=/usr/lib/derctl

case $arch in
amd64) machine=x86_64 ;;
arm64) machine=aarch64 ;;
*) echo "no package for $arch: there are amd64 and arm64" >&2 && exit 2 ;;
esac
"$source/tools/apt.sh" dpkg-deb=dpkg "$machine-linux-gnu-strip=binutils-$(echo "$machine" | tr _ -)-linux-gnu"
version=$("$target" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
next=$("$target" -c 'import sys; print("%d.%d" % (sys.version_info[0], sys.version_info[1] + 1))')
: "${SOURCE_DATE_EPOCH:=$(git -C "$source" log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root wheels=$work/wheels packages=$work/root$place/lib/python$version/site-packages
install -d "$wheels" "$packages" "$root$place/bin"

# What of it is for which processor: manylinux wheels from the oldest glibc on that Debian 12 has, and those for any.
platforms=
for glibc in 2014 _2_17 _2_24 _2_26 _2_27 _2_28 _2_31 _2_34 _2_35 _2_36; do
    platforms="$platforms --platform manylinux${glibc}_$machine"
done
pip() { "$source/tools/pip.sh" "$python" "$@"; }
# shellcheck disable=SC2086
foreign="$platforms --implementation cp --python-version $version --only-binary :all:"
# shellcheck disable=SC2086
pip download --quiet --no-deps --require-hashes $foreign --dest "$wheels" -r "$source/requirements-run.lock"
pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$wheels" "$source"
# shellcheck disable=SC2086
pip install --quiet --no-index --no-deps --no-compile $foreign --target "$packages" "$wheels"/*.whl
rm -rf "$packages/bin"
derctl=$(cd "$wheels" && ls derctl-*.whl | cut -d- -f2)

# An environment of its own, laid by hand: the one of another processor could not be run here.
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = %s\nprompt = derctl\n' "$version" >"$root$place/pyvenv.cfg"
ln -s "/usr/bin/python$version" "$root$place/bin/python"
ln -s python "$root$place/bin/python3"
printf '#!%s/bin/python -I\nimport sys\n\nfrom derctl.cli import main\n\nsys.exit(main())\n' "$place" >"$root$place/bin/derctl"
chmod 755 "$root$place/bin/derctl"
find "$packages" -name direct_url.json -delete
find "$packages" -name __pycache__ -prune -exec rm -rf {} +
# The C half of PyYAML brings a libyaml along that Debian would not mend; derctl reads with the other half.
rm -f "$packages"/yaml/_yaml.*.so
find "$packages" -name '*.so' -exec "$machine-linux-gnu-strip" --strip-unneeded {} + -exec chmod 644 {} +

share=$root/usr/share doc=$root/usr/share/doc/derctl
install -d "$root/usr/bin" "$root/usr/lib/systemd/system" "$root/usr/lib/sysusers.d" "$root/usr/lib/tmpfiles.d" \
    "$root/usr/lib/udev/rules.d" "$doc/examples" "$share/man/man1" "$share/bash-completion/completions" \
    "$share/zsh/vendor-completions" "$share/lintian/overrides"
ln -s ../lib/derctl/bin/derctl "$root/usr/bin/derctl"
sed "s|/opt/derctl|$place|g" "$source/systemd/derctl.service" >"$root/usr/lib/systemd/system/derctl.service"
install -d "$root/usr/lib/systemd/system/derctl.service.d"
printf '# Installed and started before anybody wrote one: it waits for it.\n[Unit]\nConditionPathExists=/etc/derctl/site.yaml\n' \
    >"$root/usr/lib/systemd/system/derctl.service.d/site-file.conf"
install -m 644 "$source/systemd/derctl.sysusers" "$root/usr/lib/sysusers.d/derctl.conf"
install -m 644 "$source/systemd/derctl.tmpfiles" "$root/usr/lib/tmpfiles.d/derctl.conf"
install -m 644 "$source/systemd/deb/derctl.udev" "$root/usr/lib/udev/rules.d/60-derctl.rules"
install -m 644 "$source/config"/*.yaml "$doc/examples/"
install -m 644 "$source/systemd/deb/copyright" "$doc/copyright"
install -m 644 "$source/systemd/deb/lintian-overrides" "$share/lintian/overrides/derctl"
(cd "$source" && "$python" -m tools.man "$share/man/man1")
(cd "$source" && "$python" -m derctl completion bash) >"$share/bash-completion/completions/derctl"
(cd "$source" && "$python" -m derctl completion zsh) >"$share/zsh/vendor-completions/_derctl"
whole=$derctl-1+py$(echo "$version" | tr -d .)
cat >"$doc/changelog.Debian" <<END
derctl ($whole) unstable; urgency=medium

  * What is new for operators: /usr/share/doc/derctl/changelog.gz.

 -- derctl maintainers <maintainers@derctl.invalid>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
install -m 644 "$source/CHANGELOG.md" "$doc/changelog"
gzip -9n "$doc/changelog.Debian" "$doc/changelog" "$share/man/man1"/*.1

control=$root/DEBIAN
install -d "$control"
(cd "$root" && find usr -type f -exec md5sum {} +) | LC_ALL=C sort -k 2 >"$control/md5sums"
size=$(du -k -s --apparent-size "$root/usr" | cut -f1)
sed "s/@VERSION@/$whole/; s/@ARCH@/$arch/; s/@SIZE@/$size/; s/@PYTHON@/$version/; s/@NEXT@/$next/" \
    "$source/systemd/deb/control.in" >"$control/control"
for script in postinst prerm postrm; do install -m 755 "$source/systemd/deb/$script" "$control/$script"; done
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0 -r touch --no-dereference --date="@$SOURCE_DATE_EPOCH"
dpkg-deb --root-owner-group -Zxz --build "$root" "$out/derctl_${whole}_$arch.deb" >/dev/null
echo "$out/derctl_${whole}_$arch.deb"
