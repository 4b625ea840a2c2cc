#!/bin/sh
# Unpacks packages of Debian trixie into a folder, for tests that need newer programs than this machine has.
#
#   test/e2e/fetch-of-trixie.sh FOLDER PACKAGE…
#
# apt runs with a private configuration, so nothing on this system changes. The packages come from where this machine's own apt sources say that
# Debian is; SANDKEEPER_DEBIAN names another place.
set -eu

folder=$1
shift
work=$folder.apt

# debian prints the address that this machine installs its own Debian packages from.
debian() {
	[ -z "${SANDKEEPER_DEBIAN:-}" ] || { echo "$SANDKEEPER_DEBIAN"; return; }
	suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	apt-get update --print-uris | sed -n "s|^'\(.*\)/dists/$suite/InRelease'.*|\1|p" | head -n 1
}

archive=$(debian)
[ -n "$archive" ] || { echo "fetch-of-trixie: this machine's apt sources name no Debian; say where one is: SANDKEEPER_DEBIAN=URL" >&2; exit 1; }
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
APT_CONFIG=$work/apt.conf apt-get -qq update
(cd "$work/debs" && APT_CONFIG=$work/apt.conf apt-get -qq download "$@")
rm -rf "$folder.new"
for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$folder.new"; done
rm -rf "$folder" "$work"
mv "$folder.new" "$folder"
