#!/bin/sh
# Makes sure that what the tests run beside Go is there: redis-server 7.0 (the oracle for replies) and a C compiler (the race
# detector needs one). Installs with apt-get where that is possible without asking; says what is missing otherwise.
set -eu

missing=
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
{ command -v "${CC:-gcc}" || command -v cc; } >/dev/null 2>&1 || missing="$missing gcc libc6-dev"

if [ -n "$missing" ]; then
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		echo "the tests need:$missing" >&2
		echo "install them, on Debian or Ubuntu: sudo apt-get install$missing" >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	# A package's own start of its service is not wanted and fails in containers.
	# shellcheck disable=SC2086 # a list of words
	RUNLEVEL=1 apt-get install -q -y --no-install-recommends $missing
fi

case $(redis-server --version) in
*v=7.0.*) ;;
*)
	echo "the tests compare with redis-server 7.0 (Debian 12 has it); here is: $(redis-server --version)" >&2
	exit 1
	;;
esac
