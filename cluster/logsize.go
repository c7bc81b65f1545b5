package cluster

import (
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// hashicorp/raft counts entries: it snapshots after so many and keeps so many behind a snapshot. Entries of group commit
// differ a thousandfold in size, so bytes are looked after here: a snapshot is taken early when the log has grown large,
// and fewer entries are kept behind it when they are large.
const (
	// LogBytesGoal is the size of the log on disk, in bytes, past which a snapshot is taken; less a node's share, see stagger.
	LogBytesGoal = 512 << 20
	// TrailingBytesGoal is how many bytes of log are kept behind a snapshot, for followers that were away for a moment.
	TrailingBytesGoal = 128 << 20
	// trailingMin is the least number of entries kept.
	trailingMin   = 256
	logSizePeriod = time.Second
)

// logBytes is what a storage may offer for this.
type logBytes interface {
	// LogBytes is the size of the log on disk.
	LogBytes() int64
}

// watchLogSize is a goroutine; it ends at once for a storage that does not know its size.
func (n *Node) watchLogSize() {
	s, ok := n.cfg.Storage.(logBytes)
	if !ok {
		return
	}
	tick := time.NewTicker(logSizePeriod)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n.boundLog(s.LogBytes())
		case <-n.closing:
			return
		}
	}
}

func (n *Node) boundLog(bytes int64) {
	if n.space.short.Load() {
		return // the log is shortened further than by these rules
	}
	first, err1 := n.cfg.Storage.Log().FirstIndex()
	last, err2 := n.cfg.Storage.Log().LastIndex()
	if err1 != nil || err2 != nil || last <= first {
		return
	}
	mean := max(1, uint64(bytes)/(last-first+1))
	trailing := min(max(TrailingBytesGoal/mean, trailingMin), n.cfg.TrailingLogs)
	if rc := n.raft.ReloadableConfig(); differs(rc.TrailingLogs, trailing) {
		rc.TrailingLogs = trailing
		if err := n.raft.ReloadConfig(rc); err != nil {
			n.log.Warn("could not set how much log is kept", "err", err)
		}
	}
	if bytes < int64(stagger(LogBytesGoal, n.cfg.NodeID)) || n.raft.AppliedIndex() <= n.snapshotIndex()+trailing {
		return
	}
	if err := n.Snapshot(); err != nil && !errors.Is(err, raft.ErrRaftShutdown) {
		n.log.Warn("a snapshot to shorten the log failed", "err", err)
	}
}

// differs reports a change worth a reload: by more than a quarter.
func differs(a, b uint64) bool { return a > b+b/4 || b > a+a/4 }

// stagger is a threshold for snapshots, less a share of up to a half that is the node's own: the logs of all nodes grow
// alike, and they would write their snapshots at the same moment, ever again. The share is a hash of the node's id; ids that
// differ in their last character alone, as those of one cluster mostly do, are far apart (multiples of the golden ratio).
func stagger(threshold uint64, nodeID string) uint64 {
	const steps = 1 << 16
	h := uint64(0)
	for _, c := range []byte(nodeID) {
		h = h*31 + uint64(c)
	}
	share := h * 0x9E3779B97F4A7C15 >> 48 // of steps
	half := threshold / 2
	return threshold - half/steps*share - half%steps*share/steps
}
