#!/bin/sh
# Makes sure that what the tests run beside Go is there: redis-server 7.0 (the oracle for replies), strace (which makes
# disks fail) and a C compiler (the race detector needs one). As root on Debian or Ubuntu, and in CI where sudo asks for
# no password, it installs them with apt-get; else it says what is missing. It asks nothing, and starts no service.
set -eu

have() { command -v "$1" >/dev/null 2>&1; }

missing=
have redis-server || missing="$missing redis-server"
[ "$(uname -s)" != Linux ] || have strace || missing="$missing strace"
have "${CC:-gcc}" || have cc || missing="$missing gcc libc6-dev"

as=
if [ "$(id -u)" != 0 ] && [ -n "${CI:-}" ] && have sudo && sudo -n true 2>/dev/null; then
	as="sudo -n"
fi

give_up() {
	echo "test-deps: $1" >&2
	echo "test-deps: the tests need:$missing" >&2
	echo "test-deps: on Debian 12 or Ubuntu 24.04: sudo apt-get update && sudo apt-get install --no-install-recommends$missing" >&2
	exit 1
}

apt() {
	# A package must not ask, and another apt may be under way. sudo passes no variables on: hence env.
	$as env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@" </dev/null
}

# Debian starts a service as soon as it is installed, here a Redis on port 6379. This script forbids it in Debian's way,
# unless the machine has a word of its own on that. What was put there goes away again, however the script ends.
policy=/usr/sbin/policy-rc.d
forbid_services() {
	[ ! -e "$policy" ] || return 0
	trap '$as rm -f "$policy"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	printf '#!/bin/sh\nexit 101\n' | $as tee "$policy" >/dev/null
	$as chmod 755 "$policy"
}

# Nor shall the next boot start the Redis that only the tests run.
disable_redis() {
	case $missing in *redis-server*) ;; *) return 0 ;; esac
	if have systemctl; then
		$as systemctl disable --quiet redis-server >/dev/null 2>&1 || :
	elif have update-rc.d; then
		$as update-rc.d redis-server disable >/dev/null 2>&1 || :
	fi
}

if [ -n "$missing" ]; then
	have apt-get || give_up "there is no apt-get here"
	[ "$(id -u)" = 0 ] || [ -n "$as" ] || give_up "only root can install them"
	echo "test-deps: installing:$missing"
	forbid_services
	# A mirror that is down is no harm if the packages are known already: the installation tells.
	apt update || echo "test-deps: apt-get update failed" >&2
	# shellcheck disable=SC2086 # a list of words
	apt install --no-install-recommends $missing || give_up "apt-get could not install them"
	disable_redis
fi

version=$(redis-server --version)
case $version in
*v=7.0.*) ;;
*)
	echo "test-deps: the tests compare with redis-server 7.0 (Debian 12 and Ubuntu 24.04 have it); here is: $version" >&2
	exit 1
	;;
esac
