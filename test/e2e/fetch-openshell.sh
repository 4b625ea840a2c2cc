#!/bin/sh
# Puts real openshell command lines into .cache/openshell/<version>/openshell, for the tests that run them.
#
#   test/e2e/fetch-openshell.sh [VERSION…]      default: the generations that the tests name
#
# PyPI wheels up to 0.0.110 hold the native program. It wants glibc 2.39, so glibc, libstdc++ and libgcc of Debian trixie are
# unpacked beside it (apt with a private configuration; nothing on this system changes) and a small wrapper starts it with them.
# They come from where this machine's own apt sources say that Debian is; SANDKEEPER_DEBIAN names another place.
# Running it again costs nothing: what is there is kept.
set -eu

versions=${*:-0.0.36 0.0.37 0.0.44 0.0.50 0.0.80 0.0.85 0.0.92 0.0.105 0.0.110}
repo=$(cd "$(dirname "$0")/../.." && pwd)
cache=${SANDKEEPER_CACHE:-$repo/.cache}/openshell
loader=lib64/ld-linux-x86-64.so.2

say() { echo "fetch-openshell: $*" >&2; }

[ "$(uname -sm)" = "Linux x86_64" ] || { say "the wheels are for Linux x86_64, this is $(uname -sm)"; exit 1; }
mkdir -p "$cache"

# debian prints the address that this machine installs its own Debian packages from.
debian() {
	[ -z "${SANDKEEPER_DEBIAN:-}" ] || { echo "$SANDKEEPER_DEBIAN"; return; }
	suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	apt-get update --print-uris | sed -n "s|^'\(.*\)/dists/$suite/InRelease'.*|\1|p" | head -n 1
}

fetch_runtime() {
	[ -e "$cache/runtime/usr/$loader" ] && return
	archive=$(debian)
	[ -n "$archive" ] || { say "this machine's apt sources name no Debian; say where one is: SANDKEEPER_DEBIAN=URL $0"; exit 1; }
	work=$cache/apt
	mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/debs"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive trixie main" >"$work/sources.list"
	: >"$work/status"
	cat >"$work/apt.conf" <<-CONF
		Dir::State "$work/state";
		Dir::State::status "$work/status";
		Dir::Cache "$work/cache";
		Dir::Etc::sourcelist "$work/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		APT::Architecture "amd64";
		APT::Architectures "amd64";
		APT::Sandbox::User "root";
	CONF
	say "fetching glibc, libstdc++ and libgcc of Debian trixie"
	APT_CONFIG=$work/apt.conf apt-get -qq update
	(cd "$work/debs" && APT_CONFIG=$work/apt.conf apt-get -qq download libc6 libstdc++6 libgcc-s1)
	rm -rf "$cache/runtime.new"
	for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$cache/runtime.new"; done
	rm -rf "$cache/runtime" "$work"
	mv "$cache/runtime.new" "$cache/runtime"
}

fetch_cli() {
	version=$1
	[ -x "$cache/$version/openshell" ] && return
	work=$cache/$version.new
	rm -rf "$work"
	mkdir -p "$work"
	say "fetching openshell $version from PyPI"
	python3 -m pip --quiet --disable-pip-version-check download --no-deps --only-binary=:all: --python-version 3.12 \
		--platform manylinux_2_39_x86_64 --dest "$work" "openshell==$version"
	python3 -m zipfile -e "$work"/openshell-*.whl "$work/wheel"
	mv "$work/wheel/openshell-$version.data/scripts/openshell" "$work/openshell.bin"
	chmod 755 "$work/openshell.bin"
	rm -rf "$work"/*.whl "$work/wheel"
	cat >"$work/openshell" <<-WRAPPER
		#!/bin/sh
		runtime=$cache/runtime/usr
		exec "\$runtime/$loader" --argv0 openshell --library-path "\$runtime/lib/x86_64-linux-gnu" "$cache/$version/openshell.bin" "\$@"
	WRAPPER
	chmod 755 "$work/openshell"
	rm -rf "${cache:?}/$version"
	mv "$work" "$cache/$version"
}

fetch_runtime
for version in $versions; do
	fetch_cli "$version"
	printed=$("$cache/$version/openshell" --version)
	[ "$printed" = "openshell $version" ] || { say "$version prints \"$printed\""; exit 1; }
	say "$cache/$version/openshell: $printed"
done
