package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/types"
)

// The kinds of log store.
const (
	LogWAL    = "wal"
	LogBoltDB = "boltdb"
)

// FsyncMode says when the log is forced to disk. Term, vote, identity and snapshots always are at once, and so are the
// entries of the log that change who belongs to the cluster.
type FsyncMode uint8

const (
	// FsyncAlways syncs before an append returns.
	FsyncAlways FsyncMode = iota
	// FsyncEverySec syncs once a second: a power cut loses up to a second of acknowledged appends. raft-wal only.
	FsyncEverySec
	// FsyncNo leaves it to the operating system, except at the end of a segment and in Close. raft-wal only.
	FsyncNo
)

// String is the word of appendfsync.
func (m FsyncMode) String() string {
	switch m {
	case FsyncAlways:
		return "always"
	case FsyncEverySec:
		return "everysec"
	case FsyncNo:
		return "no"
	}
	return fmt.Sprintf("FsyncMode(%d)", uint8(m))
}

// ParseFsyncMode reads the word of appendfsync.
func ParseFsyncMode(s string) (FsyncMode, error) {
	for m := FsyncAlways; m <= FsyncNo; m++ {
		if m.String() == s {
			return m, nil
		}
	}
	return 0, fmt.Errorf("fsync mode %q: want always, everysec or no", s)
}

const (
	// EntryBytesMax is the largest log entry, data and extensions together. raft-wal does not read back entries above
	// 64 MiB; half of that leaves room for encoding.
	EntryBytesMax = 32 << 20

	// segmentBytesDefault is raft-wal's preallocation. Its own default of 64 MiB makes a small or nearly full disk fail
	// at Open, and frees space after a snapshot only in steps of that size; a rotation costs two fsyncs, which 16 MiB
	// spread thin enough.
	segmentBytesDefault = 16 << 20
	// batchBytesMax bounds what one append of the store beneath takes in memory; raft-wal's offsets are 32 bits wide.
	batchBytesMax = 64 << 20

	snapshotsRetainDefault = 2
	snapshotsRetainMax     = 64
	stallLimitDefault      = 5 * time.Second
	syncInterval           = time.Second
	boltLockTimeout        = time.Second

	nodeIDBytesMax    = 256
	clusterIDBytesMax = 256
	sealedBytesMax    = 16 << 20

	stableKeysMax       = 64
	stableKeyBytesMax   = 256
	stableValueBytesMax = 4 << 10

	// snapshotBufferBytes is a sink's buffer; snapshotSyncBytes is how much it writes between two syncs, so that the
	// last one is no stall and log appends do not queue behind a gigabyte of dirty pages.
	snapshotBufferBytes = 256 << 10
	snapshotSyncBytes   = 8 << 20
)

// Options are a directory's settings. Nodes of a cluster need not agree on any of them.
type Options struct {
	// Path is the directory; it is made if it is not there.
	Path string
	// NodeID names the node: 1 to 256 bytes. Empty takes what the directory says, and is an error for a new one.
	NodeID string
	// LogStore is LogWAL (also for "") or LogBoltDB. It cannot be changed later.
	LogStore string
	// Fsync is the mode of the log, FsyncAlways by default. LogBoltDB does FsyncAlways only: without its syncs a power
	// cut can leave bbolt's page tree unreadable, which costs the whole log and not just its last second.
	Fsync FsyncMode
	// OnFailure is called once, on a goroutine of its own, with the error that failed the directory (it wraps ErrFailed).
	// Close does not wait for it, so that it may call Close. May be nil.
	OnFailure func(error)
	// SnapshotsRetain is the number of snapshots to keep: 1 to 64, 0 means 2.
	SnapshotsRetain int
	// SnapshotRoom is the room on disk, in bytes, that a snapshot must leave: it is given up before it takes more. 0: none.
	SnapshotRoom uint64
	// Logger is slog.Default() if nil.
	Logger *slog.Logger
	// StallLimit is the age from which a write that is under way counts as stalled; 0 means 5 s.
	StallLimit time.Duration
	// WrapLog is put around the raw log store, beneath checksums and guard: a seam for tests of faults. May be nil.
	WrapLog func(raft.LogStore) raft.LogStore

	// segmentBytes is raft-wal's segment size; tests lower it. walFS is put around its file system, for tests of power cuts.
	segmentBytes int
	walFS        func(types.VFS) types.VFS
	// openTick replaces the ticker of Open's watch.
	openTick <-chan time.Time
}

// validate fills defaults in and refuses nonsense.
func (o *Options) validate() error {
	if o.Path == "" {
		return errors.New("storage: no path")
	}
	if len(o.NodeID) > nodeIDBytesMax {
		return fmt.Errorf("storage: node id of %d bytes: at most %d", len(o.NodeID), nodeIDBytesMax)
	}
	switch o.LogStore {
	case "":
		o.LogStore = LogWAL
	case LogWAL, LogBoltDB:
	default:
		return fmt.Errorf("storage: log store %q: want %s or %s", o.LogStore, LogWAL, LogBoltDB)
	}
	if o.Fsync > FsyncNo {
		return fmt.Errorf("storage: %v: unknown", o.Fsync)
	}
	if o.LogStore == LogBoltDB && o.Fsync != FsyncAlways {
		return fmt.Errorf("%w: %s with %s could lose the whole log in a power cut; use %s, or the log store %s",
			ErrFsyncMode, o.Fsync, LogBoltDB, FsyncAlways, LogWAL)
	}
	if o.SnapshotsRetain == 0 {
		o.SnapshotsRetain = snapshotsRetainDefault
	}
	if o.SnapshotsRetain < 0 || o.SnapshotsRetain > snapshotsRetainMax {
		return fmt.Errorf("storage: %d snapshots to retain: want 1 to %d", o.SnapshotsRetain, snapshotsRetainMax)
	}
	if o.StallLimit < 0 {
		return fmt.Errorf("storage: stall limit %v is negative", o.StallLimit)
	}
	if o.StallLimit == 0 {
		o.StallLimit = stallLimitDefault
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.segmentBytes == 0 {
		o.segmentBytes = segmentBytesDefault
	}
	return nil
}
