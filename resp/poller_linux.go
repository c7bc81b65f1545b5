package resp

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller waits for many sockets at once: an epoll set of our own, which itself waits in Go's poller, so that no thread
// is blocked meanwhile. The sockets stay in Go's poller too, for the times when a goroutine reads or writes them.
type poller struct {
	set    *os.File
	raw    syscall.RawConn
	waker  int // an eventfd
	events [pollEventsMax]unix.EpollEvent
}

const (
	pollEventsMax = 128
	wakerID       = 0 // connections are numbered from 1
)

// Edges are reported once: after one, a socket is read until it has no more.
const pollInput = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

func newPoller() (*poller, error) {
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(set, true); err != nil { // what makes os.NewFile give it to Go's poller
		return nil, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(set))
	}
	p := &poller{set: os.NewFile(uintptr(set), "epoll"), waker: -1}
	if p.waker, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd", err), p.set.Close())
	}
	if p.raw, err = p.set.SyscallConn(); err == nil {
		err = p.control(p.waker, wakerID)
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *poller) control(fd int, id int64) (err error) {
	e := unix.EpollEvent{Events: pollInput, Fd: int32(id), Pad: int32(id >> 32)}
	if cerr := p.raw.Control(func(set uintptr) {
		err = os.NewSyscallError("epoll_ctl", unix.EpollCtl(int(set), unix.EPOLL_CTL_ADD, fd, &e))
	}); cerr != nil {
		return cerr
	}
	return err
}

// add reports the input of a socket under a number until the socket is closed. What has arrived already counts.
func (p *poller) add(rc syscall.RawConn, id int64) (err error) {
	if cerr := rc.Control(func(fd uintptr) { err = p.control(int(fd), id) }); cerr != nil {
		return cerr
	}
	return err
}

// wait blocks until something has happened and tells of each socket, and whether its other side has hung up. One
// goroutine calls it.
func (p *poller) wait(f func(id int64, hungUp bool)) error {
	n, err := 0, error(nil)
	rerr := p.raw.Read(func(set uintptr) bool {
		for {
			n, err = unix.EpollWait(int(set), p.events[:], 0)
			if err != unix.EINTR {
				return n > 0 || err != nil
			}
		}
	})
	if rerr != nil {
		return rerr
	}
	if err != nil {
		return os.NewSyscallError("epoll_wait", err)
	}
	for i := range p.events[:n] {
		e := &p.events[i]
		if id := int64(e.Pad)<<32 | int64(uint32(e.Fd)); id != wakerID {
			f(id, e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0)
		}
	}
	return nil
}

// wake ends a wait, the one under way or the next one. Any goroutine may call it until close.
func (p *poller) wake() {
	_, _ = unix.Write(p.waker, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // full: it is awake already
}

func (p *poller) close() error {
	err := p.set.Close()
	if p.waker >= 0 {
		err = errors.Join(err, unix.Close(p.waker))
	}
	return err
}

// readNow reads what has arrived: errWouldBlock where nothing has, io.EOF as 0 bytes without an error.
func readNow(rc syscall.RawConn, b []byte) (n int, err error) {
	return now(rc.Read, unix.Read, b)
}

// writeNow writes what the socket takes at once, which may be less than all.
func writeNow(rc syscall.RawConn, b []byte) (n int, err error) {
	return now(rc.Write, unix.Write, b)
}

func now(access func(func(uintptr) bool) error, call func(int, []byte) (int, error), b []byte) (n int, err error) {
	aerr := access(func(fd uintptr) bool {
		for {
			if n, err = call(int(fd), b); err != unix.EINTR {
				return true
			}
		}
	})
	switch {
	case aerr != nil:
		return 0, aerr
	case err == unix.EAGAIN:
		return 0, errWouldBlock
	case err != nil:
		return 0, os.NewSyscallError("socket", err)
	}
	return n, nil
}
