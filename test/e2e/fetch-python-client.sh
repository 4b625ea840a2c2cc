#!/bin/sh
# Puts the real Python client of OpenShell 0.1.5 into .cache/openshell-python, with a `python` that finds it: the wheel without its
# dependencies, and of those only what speaks gRPC. Running it again costs nothing: what is there is kept.
set -eu

version=0.1.5
repo=$(cd "$(dirname "$0")/../.." && pwd)
folder=${SANDKEEPER_CACHE:-$repo/.cache}/openshell-python

say() { echo "fetch-python-client: $*" >&2; }

if ! "$folder/python" -c 'import openshell.sandbox' 2>/dev/null; then
	say "fetching openshell $version and what it needs to speak gRPC from PyPI"
	rm -rf "$folder"
	mkdir -p "$folder"
	pip() { python3 -m pip --quiet --disable-pip-version-check install --target "$folder/lib" "$@"; }
	pip grpcio protobuf googleapis-common-protos httpx
	pip --no-deps "openshell==$version"
	cat >"$folder/python" <<-WRAPPER
		#!/bin/sh
		PYTHONPATH=$folder/lib exec $(command -v python3) "\$@"
	WRAPPER
	chmod 755 "$folder/python"
fi
"$folder/python" -c 'import importlib.metadata, openshell.sandbox; print("openshell", importlib.metadata.version("openshell"))'
