package transport

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// A leader's raft answers each failed message to a follower with a longer pause, up to ten seconds, and nothing but a
// message that gets through ends it: heartbeats have a count of their own. A follower that was down for a minute would
// then be sent nothing for ten seconds although its heartbeats arrive; were another one restarted meanwhile, writes
// would wait for as long. So raft is not told that a peer can't be reached: its message waits here until it can.
const (
	holdRedial = 100 * time.Millisecond
	// holdMax bounds how long one message waits, and with it the goroutines that a leader which lost its leadership
	// leaves here. Raft's pauses begin to be felt (a second) after nine such waits.
	holdMax = 5 * time.Minute
)

// holder keeps messages to peers that can't be reached.
type holder struct {
	once     sync.Once
	released chan struct{}
}

// Release ends all waiting for peers that can't be reached, for good: raft is about to be shut down, which waits for
// its messages to end. It may be called more than once.
func (h *holder) Release() { h.once.Do(func() { close(h.released) }) }

// send tries until the peer was connected to; what comes of it then is raft's to judge.
func (h *holder) send(try func() error) error {
	end := time.Now().Add(holdMax)
	tick := time.NewTicker(holdRedial)
	defer tick.Stop()
	for {
		err := try()
		if !unreachable(err) || time.Now().After(end) {
			return err
		}
		select {
		case <-tick.C:
		case <-h.released:
			return err
		}
	}
}

// unreachable reports whether no connection was made, so that nothing was sent.
func unreachable(err error) bool {
	for _, e := range []error{ErrDial, ErrAuth, ErrRefused, ErrProtocol} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// isHeartbeat recognizes heartbeats as raft's own transport does.
func isHeartbeat(a *raft.AppendEntriesRequest) bool {
	return a.Term != 0 && a.PrevLogEntry == 0 && a.PrevLogTerm == 0 && len(a.Entries) == 0 && a.LeaderCommitIndex == 0
}

// AppendEntries implements raft.Transport. Heartbeats fail at once, for they tell raft whom it can reach; log entries
// wait for the peer.
func (r *RaftTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	try := func() error { return r.NetworkTransport.AppendEntries(id, target, args, resp) }
	if isHeartbeat(args) {
		return try()
	}
	return r.send(try)
}

// InstallSnapshot implements raft.Transport. Of data nothing is read before there is a connection.
func (r *RaftTransport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	return r.send(func() error { return r.NetworkTransport.InstallSnapshot(id, target, args, resp, data) })
}
