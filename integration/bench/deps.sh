#!/bin/sh
# Makes sure that what only the benchmarks need is there: etcd, for the comparison. Installs with apt-get where that is
# possible without asking; says what is missing otherwise.
set -eu

if command -v etcd >/dev/null 2>&1; then
	exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "the benchmarks compare with etcd, which is not here" >&2
	echo "install it, on Debian or Ubuntu: sudo apt-get install etcd-server; without it its columns stay empty" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# A package's own start of its service is not wanted and fails in containers.
RUNLEVEL=1 apt-get install -q -y --no-install-recommends etcd-server
