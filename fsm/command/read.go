package command

// ReadOptions say how read commands are executed on the applied state.
type ReadOptions struct {
	// Clock is the caller's wall clock in milliseconds: what TTL is counted from. Presence is decided by log time.
	Clock int64
	// Strict: Clock is the leader's stamp, and a key whose deadline it has passed makes the read answer false, so that the
	// caller moves the log time and asks again.
	Strict bool
	// NoTouch leaves the keys' access times alone (CLIENT NO-TOUCH).
	NoTouch bool
	// Seed is for commands that choose at random.
	Seed uint64
	// OnRead, if it is set, is called with each read command before it is executed, while nothing of the state can change. It
	// must not block, and must not ask the machine for anything.
	OnRead func(c *Call)
}
