#!/bin/sh
# Runs every fuzz target for a while: scripts/fuzz.sh [TIME [PACKAGE...]], by default 2s and all packages. Targets are found
# by asking the test binaries, so a new one needs no entry anywhere. FUZZPARALLEL is the number of workers, FUZZTARGETS a
# regular expression that picks targets. A target that fails leaves its input in its package's testdata/fuzz: keep it.
set -eu
cd "$(dirname "$0")/.."

time=${1:-2s}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- ./...

# "go test -list" prints the names of a package's targets and then "ok", the package and the time.
targets=$(go test -list "${FUZZTARGETS:-^Fuzz}" "$@" | awk '
	/^Fuzz/ { names[++n] = $1; next }
	$1 == "ok" { for (i = 1; i <= n; i++) print $2, names[i] }
	{ n = 0 }
	$1 == "FAIL" { exit 1 }')
[ -n "$targets" ] || { echo "no fuzz targets in $*" >&2; exit 1; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# fuzz runs one target. Go's fuzzer sometimes takes the end of its own time for a failure ("context deadline exceeded", with
# no input that failed; golang/go issue 75804): that is none.
fuzz() {
	# Inputs are made smaller by a few tries only: by default each new one that is slow to run would take a minute of it.
	if go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 20x -timeout 0 \
		-parallel "${FUZZPARALLEL:-2}" "$1" </dev/null >"$log" 2>&1; then
		cat "$log"
		return 0
	fi
	cat "$log"
	grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input written to\|panic\|fatal error' "$log"
}

echo "$targets" | while read -r pkg name; do
	echo "== $name $pkg"
	fuzz "$pkg" "$name" || exit 1
done
