//go:build !linux

package resp

import (
	"net"
	"runtime"
)

func osName() string { return runtime.GOOS + " " + runtime.GOARCH }

func totalMemory() int64 { return 0 }

func resourceUsage() cpuTimes { return cpuTimes{} }

// peerGone can't be told here: a WAIT without a time out ends when its replicas answer, or leadership or the server
// does.
func peerGone(net.Conn) bool { return false }
