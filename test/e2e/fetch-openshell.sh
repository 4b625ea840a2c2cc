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

fetch_runtime() {
	[ -e "$cache/runtime/usr/$loader" ] && return
	say "fetching glibc, libstdc++ and libgcc of Debian trixie"
	"$repo/test/e2e/fetch-of-trixie.sh" "$cache/runtime" libc6 libstdc++6 libgcc-s1
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
