package resp

import (
	"strconv"

	"github.com/redoubtdb/redoubt/fsm/command"
)

const saveFlags = command.Admin | command.NoScript | command.NoAsyncLoading

// The server group of Redis 7.0 that has no file of its own. Redis's saves are Raft snapshots here: durability does not
// depend on them, they let the log be cut.
var serverCommands = []entry{
	{Spec: command.Spec{
		Name: "time", Arity: 1, Flags: anyTime | command.Fast, Group: "server", Since: "2.6.0", Tips: tipsVary,
		Summary: "Returns this node's clock.", Complexity: "O(1)",
	}, run: timeNow},
	{Spec: command.Spec{
		Name: "lastsave", Arity: 1, Flags: anyTime | command.Fast, Group: "server", Since: "1.0.0",
		Categories: []string{"admin", "dangerous"}, Tips: tipsVary,
		Summary: "Returns when the newest snapshot was finished.", Complexity: "O(1)",
	}, run: lastSave},
	{Spec: command.Spec{
		Name: "save", Arity: 1, Flags: saveFlags | command.NoMulti, Group: "server", Since: "1.0.0",
		Summary: "Takes a snapshot and waits for it.", Complexity: "O(N) where N is the number of keys of all databases",
	}, run: save},
	{Spec: command.Spec{
		Name: "bgsave", Arity: -1, Flags: saveFlags, Group: "server", Since: "1.0.0",
		Summary: "Begins to take a snapshot.", Complexity: "O(1)",
	}, run: bgSave},
	{Spec: command.Spec{
		Name: "bgrewriteaof", Arity: 1, Flags: saveFlags, Group: "server", Since: "1.0.0",
		Summary: "Begins to take a snapshot, after which the log is cut.", Complexity: "O(1)",
	}, run: bgRewriteAOF},
	{Spec: command.Spec{
		Name: "shutdown", Arity: -1, Flags: adminAnyTime | command.NoMulti | command.AllowBusy, Group: "server", Since: "1.0.0",
		Summary: "Hands leadership over and ends this node's process.", Complexity: "O(1)",
	}, run: shutdown},
	{
		Spec: command.Spec{
			Name: "module", Arity: -2, Group: "server", Since: "4.0.0", Summary: "Modules, of which there are none.", Complexity: "Depends on subcommand.",
		},
		subs: []entry{
			{Spec: command.Spec{
				Name: "module|list", Arity: 2, Flags: command.Admin | command.NoScript, Group: "server", Since: "4.0.0", Tips: tipsOrderVaries,
				Summary: "Lists the modules loaded, none.", Complexity: "O(1)",
			}, run: func(c *conn, _ [][]byte) { c.w.Array(0) }},
			{Spec: command.Spec{
				Name: "module|help", Arity: 2, Flags: anyTime, Group: "server", Since: "5.0.0", Summary: "Lists the subcommands.", Complexity: "O(1)",
			}, run: help("MODULE", "LIST", "    The modules loaded: there are none.")},
		},
	},
	{
		Spec: command.Spec{
			Name: "acl", Arity: -2, Group: "server", Since: "6.0.0", Summary: "Users, of which there is one.", Complexity: "Depends on subcommand.",
		},
		subs: []entry{
			{Spec: command.Spec{
				Name: "acl|whoami", Arity: 2, Flags: unscripted, Group: "server", Since: "6.0.0", Summary: "Returns the connection's user.", Complexity: "O(1)",
			}, run: func(c *conn, _ [][]byte) { c.w.BulkString(defaultUser) }},
		},
	},
}

func timeNow(c *conn, _ [][]byte) {
	now := c.srv.now()
	c.w.Array(2)
	c.w.BulkString(strconv.FormatInt(now.Unix(), 10))
	c.w.BulkString(strconv.Itoa(now.Nanosecond() / 1000))
}

func lastSave(c *conn, _ [][]byte) {
	at := c.srv.backend.LastSnapshot()
	if at.IsZero() {
		at = c.srv.started // as in Redis
	}
	c.w.Int(at.Unix())
}

// startSnapshot begins a snapshot; false: one is being taken already. done, if not nil, receives its outcome and has
// room for it. The goroutine ends when the backend's Snapshot does, at the latest when the backend closes: no disk that
// hangs can hold Close up.
func (s *Server) startSnapshot(done chan<- error) bool {
	if !s.saving.CompareAndSwap(false, true) {
		return false
	}
	go func() {
		err := s.backend.Snapshot()
		s.saveFailed.Store(err != nil)
		s.saving.Store(false)
		if err != nil {
			s.log.Warn("snapshot", "err", err)
		}
		if done != nil {
			done <- err
		}
	}()
	return true
}

const errSaving = "ERR Background save already in progress"

func save(c *conn, _ [][]byte) {
	done := make(chan error, 1)
	if !c.srv.startSnapshot(done) {
		c.w.Error(errSaving)
		return
	}
	select {
	case err := <-done:
		c.replyDone("ERR the snapshot failed: ", err)
	case <-c.ctx.Done():
		c.w.Error("ERR the snapshot goes on after this connection")
	case <-c.srv.ctx.Done():
		c.w.Error("ERR this node is shutting down")
	}
}

func bgSave(c *conn, args [][]byte) {
	switch {
	case len(args) > 2, len(args) == 2 && !word(args[1], "schedule"):
		c.w.Error(command.ErrSyntax)
	case !c.srv.startSnapshot(nil):
		c.w.Error(errSaving)
	default:
		c.w.Simple("Background saving started")
	}
}

func bgRewriteAOF(c *conn, _ [][]byte) {
	if !c.srv.startSnapshot(nil) {
		c.w.Error("ERR Background append only file rewriting already in progress")
		return
	}
	c.w.Simple("Background append only file rewriting started")
}

// shutdown is SHUTDOWN. Everything that was acknowledged is in the log, so SAVE and NOSAVE are the same, and nothing
// makes the orderly way fail, so NOW and FORCE ask for no more than it. There is no reply but the end of the connection.
func shutdown(c *conn, args [][]byte) {
	seen := map[string]bool{}
	for _, a := range args[1:] {
		option := ""
		for _, known := range []string{"save", "nosave", "now", "force", "abort"} {
			if word(a, known) {
				option = known
			}
		}
		if option == "" {
			c.w.Error(command.ErrSyntax)
			return
		}
		seen[option] = true
	}
	if (seen["abort"] && len(seen) > 1) || (seen["save"] && seen["nosave"]) {
		c.w.Error(command.ErrSyntax)
		return
	}
	if seen["abort"] {
		c.w.Error("ERR No shutdown in progress.")
		return
	}
	c.srv.log.Warn("SHUTDOWN", "client", c.nc.RemoteAddr())
	c.quit = true
	c.srv.backend.Shutdown()
	select {
	case <-c.srv.ctx.Done():
	case <-c.ctx.Done():
	}
}
