package cluster

import (
	"errors"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// The vocabulary's errors, under the names that this package's callers expect.
var (
	ErrNotLeader      = command.ErrNotLeader
	ErrTooLarge       = command.ErrTooLarge
	ErrQueueFull      = command.ErrQueueFull
	ErrHandingOver    = command.ErrHandingOver
	ErrClosed         = command.ErrClosed
	ErrNotConfirmed   = command.ErrNotConfirmed
	ErrReadTimeout    = command.ErrReadTimeout
	ErrLeadershipLost = command.ErrLeadershipLost
	ErrWriteTimeout   = command.ErrWriteTimeout
	ErrFailed         = command.ErrFailed
)

// Why an operation on the cluster failed.
var (
	ErrNoSuchNode    = errors.New("no such node in the cluster")
	ErrLeaderUnknown = errors.New("the cluster has no leader at the moment")
)

// outcomeOf says what a proposal's end in Raft means. Only errors that hashicorp/raft v1.7.3 returns before an entry is
// dispatched are Refused; whatever may have come after counts as Unknown:
//   - ErrNotLeader answers entries taken from the apply queue by a follower, a candidate, or a leader that is stepping
//     down, before they are appended (raft.go: runFollower, runCandidate, leaderLoop);
//   - ErrLeadershipTransferInProgress and ErrEnqueueTimeout likewise;
//   - ErrLeadershipLost, ErrRaftShutdown, ErrAbortedByRestore and errors of the log store come when the entry may be on
//     this disk or on another's.
func outcomeOf(err error) (command.Outcome, error) {
	switch {
	case errors.Is(err, raft.ErrNotLeader):
		return command.Refused, ErrNotLeader
	case errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return command.Refused, ErrHandingOver
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return command.Refused, ErrQueueFull
	case errors.Is(err, raft.ErrLeadershipLost):
		return command.Unknown, ErrLeadershipLost
	}
	return command.Unknown, err
}
