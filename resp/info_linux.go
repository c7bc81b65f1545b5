package resp

import (
	"encoding/binary"
	"net"
	"syscall"
	"time"
)

// osName is what uname says: system, release and machine.
func osName() string {
	var u syscall.Utsname
	if syscall.Uname(&u) != nil {
		return "Linux"
	}
	return utsText(u.Sysname[:]) + " " + utsText(u.Release[:]) + " " + utsText(u.Machine[:])
}

// utsText is a C string; its element is int8 or uint8, by the architecture.
func utsText[T int8 | uint8](s []T) string {
	var b []byte
	for _, c := range s {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return string(b)
}

// totalMemory is the machine's memory in bytes.
func totalMemory() int64 {
	var si syscall.Sysinfo_t
	if syscall.Sysinfo(&si) != nil {
		return 0
	}
	return int64(uint64(si.Totalram) * uint64(si.Unit)) //nolint:unconvert // 32-bit systems have narrower fields
}

func resourceUsage() cpuTimes {
	var self, children syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &self)
	_ = syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children)
	return cpuTimes{
		sys: time.Duration(self.Stime.Nano()), user: time.Duration(self.Utime.Nano()),
		sysChildren: time.Duration(children.Stime.Nano()), userChildren: time.Duration(children.Utime.Nano()),
	}
}

const tcpEstablished = 1 // of the kernel's TCP states, which tcp_info begins with

// peerGone reports whether the other side has closed or reset the connection, without reading from it: what was sent
// before may still wait in the socket. A side that has only closed its half counts as gone, as in Redis.
func peerGone(nc net.Conn) bool {
	for {
		inner, ok := nc.(interface{ NetConn() net.Conn }) // TLS
		if !ok {
			break
		}
		nc = inner.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return true // closed on this side
	}
	gone := false
	err = rc.Control(func(fd uintptr) {
		// Four bytes are asked for; the first one of tcp_info is the state.
		v, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], uint32(v))
		gone = err == nil && b[0] != tcpEstablished
	})
	return gone || err != nil
}
