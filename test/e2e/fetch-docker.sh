#!/bin/sh
# Puts the Docker of Debian trixie (26.1, with containerd 1.7) into .cache/docker, for the tests of the containerd image store. Its runc is this
# machine's own: the newer one wants a newer glibc. Running it again costs nothing.
set -eu

repo=$(cd "$(dirname "$0")/../.." && pwd)
docker=${SANDKEEPER_CACHE:-$repo/.cache}/docker
[ "$(uname -sm)" = "Linux x86_64" ] || { echo "fetch-docker: only for Linux x86_64, this is $(uname -sm)" >&2; exit 1; }
if [ ! -x "$docker/usr/sbin/dockerd" ]; then
	echo "fetch-docker: fetching docker.io and containerd of Debian trixie" >&2
	"$repo/test/e2e/fetch-of-trixie.sh" "$docker" docker.io containerd
fi
"$docker/usr/sbin/dockerd" --version
