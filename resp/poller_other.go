//go:build !linux

package resp

import (
	"errors"
	"syscall"
)

// poller is there on Linux only: elsewhere every connection has a goroutine.
type poller struct{}

var errNoPoller = errors.New("resp: no poller on this platform")

func newPoller() (*poller, error)                         { return nil, errNoPoller }
func (*poller) add(syscall.RawConn, int64) error          { return errNoPoller }
func (*poller) wait(func(id int64, hungUp bool)) error    { return errNoPoller }
func (*poller) wake()                                     {}
func (*poller) close() error                              { return nil }
func readNow(syscall.RawConn, []byte) (n int, err error)  { return 0, errNoPoller }
func writeNow(syscall.RawConn, []byte) (n int, err error) { return 0, errNoPoller }
