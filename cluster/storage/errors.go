package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// The sentinels of this package; match them with errors.Is. Messages name the file and, where there is a cure, the cure.
var (
	// ErrLocked: another process, or another Dir of this one, has the directory open.
	ErrLocked = errors.New("data directory is in use by another process")
	// ErrNodeIDChanged: the directory belongs to a node of another id.
	ErrNodeIDChanged = errors.New("node id differs from the one in the data directory")
	// ErrForeign: the directory is not empty and holds no identity of ours.
	ErrForeign = errors.New("directory is not empty and is no data directory of redoubt")
	// ErrLogStoreChanged: the log was written by the other kind of store.
	ErrLogStoreChanged = errors.New("log store differs from the one in the data directory")
	// ErrClusterIDChanged: the directory belongs to a node of another cluster.
	ErrClusterIDChanged = errors.New("cluster id differs from the one in the data directory")
	// ErrDamaged: what is on disk is not what was written.
	ErrDamaged = errors.New("data is damaged")
	// ErrVersion: written by a newer version of redoubt.
	ErrVersion = errors.New("format is newer than this version of redoubt reads")
	// ErrFailed: an earlier write or sync failed; it wraps that first error.
	ErrFailed = errors.New("storage has failed")
	// ErrClosed: the directory has been closed.
	ErrClosed = errors.New("storage is closed")
	// ErrEntryTooBig: a log entry above EntryBytesMax. Nothing was written, and the directory has not failed.
	ErrEntryTooBig = errors.New("log entry is too big")
	// ErrNoRoom: a snapshot was given up because it would have left too little room on the disk. The directory has not
	// failed.
	ErrNoRoom = errors.New("too little room on the disk")
	// ErrFsyncMode: the log store cannot keep what the mode promises.
	ErrFsyncMode = errors.New("fsync mode is not possible with this log store")
)

// DiskFull reports whether an error is the file system's word that there is no room, or that a quota is used up.
func DiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

const rejoin = "remove the node from the cluster, empty the directory and join again"

// damaged reports damage that only a new start of the node cures.
func damaged(file string, cause error) error {
	if errors.Is(cause, ErrDamaged) || errors.Is(cause, ErrVersion) {
		return cause
	}
	return fmt.Errorf("%w: %s: %w; %s", ErrDamaged, file, cause, rejoin)
}

func damagedf(file, format string, args ...any) error {
	return damaged(file, fmt.Errorf(format, args...))
}

// classify tells a disk that refuses (an errno) from bytes that make no sense. A missing file counts as damage: callers
// ask only for files that must be there.
func classify(file string, err error) error {
	var errno syscall.Errno
	if err == nil || errors.As(err, &errno) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return damaged(file, err)
}
