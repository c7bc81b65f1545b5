#!/bin/sh
# Unpacks the source of Redis 7.0.15 into the directory named, for its test suite: usage: fetch.sh DIRECTORY. It comes from
# the source package of Debian 12 or Ubuntu 24.04, without the distribution's patches. Installs tclsh as root where it is
# missing. The list of sources, the index and the cache are in a temporary directory: the machine's own are not touched.
# REDIS_SOURCE_MIRROR names another mirror than the distribution's.
set -eu

to=$1
have() { command -v "$1" >/dev/null 2>&1; }
give_up() {
	echo "conformance: $1" >&2
	exit 1
}

have apt-get || give_up "the suite comes as a source package of Debian or Ubuntu: apt-get is needed"
{ have redis-cli && have redis-benchmark; } || give_up "redis-cli and redis-benchmark are needed: make test-deps installs them"
if ! have tclsh8.6; then
	[ "$(id -u)" = 0 ] || give_up "tclsh8.6 is needed: sudo apt-get install --no-install-recommends tcl8.6"
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends tcl8.6 >&2 </dev/null
fi

# shellcheck disable=SC1091 # a file of the system
. /etc/os-release
case ${ID:-} in
debian)
	mirror=${REDIS_SOURCE_MIRROR:-http://deb.debian.org/debian}
	component=main
	;;
ubuntu)
	mirror=${REDIS_SOURCE_MIRROR:-http://archive.ubuntu.com/ubuntu}
	component=universe
	;;
*) give_up "no source package is known for the distribution ${ID:-without a name}" ;;
esac

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial" "$tmp/package"
echo "deb-src $mirror $VERSION_CODENAME $component" >"$tmp/sources.list"
apt() {
	apt-get -q -o Dir::Etc::SourceList="$tmp/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$tmp/lists" \
		-o Dir::Cache="$tmp/cache" -o Acquire::Retries=3 "$@" >&2 </dev/null
}
# As root apt drops to a user of its own, which must reach the directory.
chmod 755 "$tmp"
if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then
	chown -R _apt "$tmp/lists/partial" "$tmp/cache/archives/partial" "$tmp/package"
fi
apt update
(cd "$tmp/package" && apt source --download-only redis)
mkdir "$tmp/source"
tar -xzf "$tmp/package/redis_7.0.15.orig.tar.gz" -C "$tmp/source" --strip-components=1 ||
	give_up "the package of $ID $VERSION_CODENAME is not of Redis 7.0.15: $(cd "$tmp/package" && echo *)"
ln -s "$(command -v redis-cli)" "$(command -v redis-benchmark)" "$tmp/source/src/"

# Two runs at a time may both unpack: whoever comes second keeps what is there.
mkdir -p "$(dirname "$to")"
part=$to.$$
cp -R "$tmp/source" "$part"
mv -T "$part" "$to" 2>/dev/null || rm -rf "$part"
