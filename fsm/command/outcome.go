package command

import "errors"

// Why a proposal or a read was not served. They are part of the vocabulary because the node says them and the facade
// puts them into Redis's words. The first group goes with Refused (or with a read, which can always be tried again),
// the second with Unknown.
var (
	ErrNotLeader     = errors.New("this node is not the leader")
	ErrRelayTooLarge = errors.New("larger than what a follower may pass on to the leader")
	ErrTooLarge      = errors.New("larger than one log entry may be")
	ErrQueueFull     = errors.New("too many bytes wait to be written")
	ErrNoRoom        = errors.New("MISCONF no room on disk")
	ErrHandingOver   = errors.New("leadership is being handed over")
	ErrClosed        = errors.New("this node is shutting down")
	ErrNotConfirmed  = errors.New("no majority of voters confirmed this leader")
	ErrReadTimeout   = errors.New("the read could not be confirmed in time")

	ErrLeadershipLost = errors.New("leadership was lost while the write was in flight")
	ErrWriteTimeout   = errors.New("the write was not committed in time")
	ErrFailed         = errors.New("this node has failed and stops")
)
