#!/bin/sh
# Runs every fuzz target for a short while: scripts/fuzz.sh [TIME [PACKAGE...]], by default 2s and all packages. Targets are
# found by asking the test binaries, so a new one needs no entry anywhere.
set -eu
cd "$(dirname "$0")/.."

time=${1:-2s}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- ./...

# "go test -list" prints the names of a package's targets and then "ok", the package and the time.
targets=$(go test -list '^Fuzz' "$@" | awk '
	/^Fuzz/ { names[++n] = $1; next }
	$1 == "ok" { for (i = 1; i <= n; i++) print $2, names[i] }
	{ n = 0 }
	$1 == "FAIL" { exit 1 }')
[ -n "$targets" ] || { echo "no fuzz targets in $*" >&2; exit 1; }

echo "$targets" | while read -r pkg name; do
	echo "== $name $pkg"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -parallel 2 "$pkg" </dev/null || exit 1
done
