package transport

import (
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// What raft looks for by type assertion must survive the wrapping: without WithPreVote it would turn pre-votes off and
// say nothing.
var (
	_ raft.Transport   = (*RaftTransport)(nil)
	_ raft.WithPreVote = (*RaftTransport)(nil)
	_ raft.WithClose   = (*RaftTransport)(nil)
)

// RaftOptions are raft.NetworkTransportConfig's, as far as a node sets them.
type RaftOptions struct {
	// MaxPool is the number of idle connections that are kept for each peer. Default 3.
	MaxPool int
	// MaxRPCsInFlight is raft's pipelining depth. Zero is raft's default (2), 1 turns pipelining off.
	MaxRPCsInFlight int
	// Timeout bounds one exchange; a snapshot's is multiplied by its size in units of 256 KiB. Default 10 s.
	Timeout time.Duration
	// AddressProvider finds a server's current address by its id; nil dials what the configuration says.
	AddressProvider raft.ServerAddressProvider
	// Logger takes raft's own messages. Nil discards them.
	Logger hclog.Logger
}

// RaftTransport is raft's network transport over the authenticated streams of a Transport, without its heartbeat fast
// path, with patience for peers that can't be reached (hold.go), and with pipelines of its own (append.go).
type RaftTransport struct {
	*raft.NetworkTransport
	holder
	layer       *raftLayer
	timeout     time.Duration
	inFlightMax int

	consumer chan raft.RPC
	handler  func(raft.RPC) // once handled is closed
	handled  chan struct{}
}

// NewRaftTransport opens the raft layer of t and starts raft's transport on it. Close ends both, and leaves t open for
// calls and for another NewRaftTransport. Raft itself closes it in Shutdown.
func NewRaftTransport(t *Transport, opts RaftOptions) *RaftTransport {
	if opts.MaxPool == 0 {
		opts.MaxPool = 3
	}
	if opts.Timeout == 0 {
		opts.Timeout = 10 * time.Second
	}
	if opts.Logger == nil {
		opts.Logger = hclog.NewNullLogger()
	}
	if opts.MaxRPCsInFlight == 0 {
		opts.MaxRPCsInFlight = raft.DefaultMaxRPCsInFlight
	}
	layer := t.RaftLayer().(*raftLayer)
	network := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:                layer,
		MaxPool:               opts.MaxPool,
		MaxRPCsInFlight:       opts.MaxRPCsInFlight,
		Timeout:               opts.Timeout,
		ServerAddressProvider: opts.AddressProvider,
		Logger:                opts.Logger,
	})
	r := &RaftTransport{
		NetworkTransport: network, holder: holder{released: make(chan struct{})},
		layer: layer, timeout: opts.Timeout, inFlightMax: opts.MaxRPCsInFlight,
		consumer: make(chan raft.RPC), handled: make(chan struct{}),
	}
	t.spawn(r.forward)
	layer.serveAppends(r.serveAppends)
	return r
}

// SetHandler has every message from a peer given to h instead of Consumer, on the goroutine that has read it: each
// append stream has one, all else shares one. h must see to it that the message is answered, may wait for raft, and must
// return once raft and its owner have stopped, for Transport.Close waits for it. To be called once at most.
func (r *RaftTransport) SetHandler(h func(raft.RPC)) {
	r.handler = h
	close(r.handled)
}

// Consumer implements raft.Transport.
func (r *RaftTransport) Consumer() <-chan raft.RPC { return r.consumer }

// forward is a goroutine of the transport's: it takes what raft's own transport has received.
func (r *RaftTransport) forward() {
	for {
		select {
		case rpc := <-r.NetworkTransport.Consumer():
			r.deliver(rpc)
		case <-r.layer.ctx.Done():
			return
		}
	}
}

// deliver gives a message to the handler, or to whoever consumes.
func (r *RaftTransport) deliver(rpc raft.RPC) {
	select {
	case <-r.handled:
		r.handler(rpc)
		return
	default:
	}
	select {
	case r.consumer <- rpc:
	case <-r.handled:
		r.handler(rpc)
	case <-r.layer.ctx.Done():
	}
}

// SetHeartbeatHandler does nothing, so that heartbeats pass raft's main loop like every other message. The fast path
// would change the term on a goroutine of the network while the main loop writes: a deposed leader then stores a client's
// entry under its successor's term (hashicorp/raft issue 695). The price is that heartbeats wait behind the follower's
// disk: leave room in HeartbeatTimeout.
func (r *RaftTransport) SetHeartbeatHandler(func(rpc raft.RPC)) {}

// Close stops the transport and closes all its streams.
func (r *RaftTransport) Close() error {
	r.Release()
	err := r.NetworkTransport.Close() // closes the raft layer
	r.CloseStreams()                  // forgets the pooled connections, which are closed by now
	return err
}
