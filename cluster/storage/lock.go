package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

const lockName = "LOCK"

// takeLock locks the directory for this open file: a second Open in the same process is refused as well. The file stays
// when the lock goes: removing it would let two processes lock two files of one name.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s (pid %s)", ErrLocked, dir, lockOwner(f))
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	// The pid is for people: a failure to write it takes nothing from the lock.
	if f.Truncate(0) == nil {
		_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return f, nil
}

func lockOwner(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 32))
	if b = bytes.TrimSpace(b); err != nil || len(b) == 0 {
		return "unknown"
	}
	return string(b)
}
