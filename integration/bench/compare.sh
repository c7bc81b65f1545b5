#!/bin/sh
# Runs the Go benchmarks of another revision and of the working tree in turns and compares them by benchstat.
#
#	BASE=v0.1.0 COUNT=10 BENCH='Reader|Writer' PKGS=./resp/... integration/bench/compare.sh
#
#	BASE       the revision to compare with (default HEAD~1)
#	PKGS       packages (default ./...); those without benchmarks are left out
#	BENCH      which benchmarks, a regular expression (default all)
#	COUNT      how often each runs (default 6, the fewest that benchstat can judge)
#	BENCHTIME  how long each runs, as go test takes it (default 300ms)
#	OUT        directory that keeps what was measured, base.txt and new.txt (default none)
#
# The base is checked out as a worktree in a temporary directory, which is removed at the end.
set -eu

BASE=${BASE:-HEAD~1}
PKGS=${PKGS:-./...}
BENCH=${BENCH:-.}
COUNT=${COUNT:-6}
BENCHTIME=${BENCHTIME:-300ms}
GO=${GO:-go}
BENCHSTAT=golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

root=$(git rev-parse --show-toplevel)
cd "$root"
commit=$(git rev-parse --verify --quiet "$BASE^{commit}") || {
	echo "compare: there is no revision $BASE" >&2
	exit 1
}

work=$(mktemp -d)
cleanup() {
	git worktree remove --force "$work/tree" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

git worktree add --quiet --detach "$work/tree" "$commit"
mkdir "$work/base" "$work/new"

# compile SIDE DIR: a test program of every package with benchmarks, named by a number that both sides share.
compile() {
	side=$1
	n=0
	while read -r pkg; do
		n=$((n + 1))
		[ -d "$2/$pkg" ] || continue
		(cd "$2/$pkg" && grep -qs '^func Benchmark' -- *_test.go) || continue
		(cd "$2" && $GO test -c -o "$work/$side/$n.test" "./$pkg")
	done <"$work/packages"
}

# shellcheck disable=SC2086 # PKGS is a list of words
$GO list -f '{{.Dir}}' $PKGS | while read -r dir; do
	grep -qs '^func Benchmark' "$dir"/*_test.go && echo ".${dir#"$root"}"
done >"$work/packages" || true
[ -s "$work/packages" ] || {
	echo "compare: no package of $PKGS has benchmarks" >&2
	exit 1
}
compile new "$root"
compile base "$work/tree"

# run SIDE DIR: every benchmark once.
run() {
	n=0
	while read -r pkg; do
		n=$((n + 1))
		[ -x "$work/$1/$n.test" ] || continue
		(cd "$2/$pkg" && "$work/$1/$n.test" -test.run '^$' -test.bench "$BENCH" -test.benchtime "$BENCHTIME" -test.benchmem) >>"$work/$1.txt"
	done <"$work/packages"
}

: >"$work/base.txt"
: >"$work/new.txt"
i=1
while [ "$i" -le "$COUNT" ]; do
	echo "round $i of $COUNT" >&2
	# Who comes first changes, so that a machine that grows warm or busy wrongs neither.
	if [ $((i % 2)) = 1 ]; then
		run base "$work/tree"
		run new "$root"
	else
		run new "$root"
		run base "$work/tree"
	fi
	i=$((i + 1))
done

if [ -n "${OUT:-}" ]; then
	mkdir -p "$OUT"
	cp "$work/base.txt" "$work/new.txt" "$OUT"
fi
echo "base: $(git log -1 --format='%h %s' "$commit"); new: the working tree"
(cd "$work" && $GO run "$BENCHSTAT" base.txt new.txt)
