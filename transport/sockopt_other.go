//go:build !linux

package transport

import (
	"net"
	"time"
)

// setUnackedTimeout is known on Linux only; elsewhere keepalive and retransmission limits find a dead peer, later.
func setUnackedTimeout(*net.TCPConn, time.Duration) {}
