package transport

import (
	"net"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7), which package syscall lacks.
const tcpUserTimeout = 0x12

// setUnackedTimeout has the kernel give a connection up when sent bytes stay unacknowledged this long. Without it a
// connection that a network fault cut in the middle of a write lives on for a quarter of an hour, and after the fault
// heals it waits out its retransmission timer while the peer is reachable again.
func setUnackedTimeout(conn *net.TCPConn, d time.Duration) {
	rc, err := conn.SyscallConn()
	if err != nil {
		return
	}
	// Best effort: keepalive still finds the dead peer, only later.
	_ = rc.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d.Milliseconds()))
	})
}
