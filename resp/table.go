package resp

import (
	"github.com/redoubtdb/redoubt/fsm/command"
)

// handler answers a connection or server command: exactly one reply into c.w. It runs on the connection's goroutine
// after everything before it was answered, and may wait.
type handler func(c *conn, args [][]byte)

// entry is a line of the facade's command tables.
type entry struct {
	command.Spec
	run handler
	// subs are the lines of a container's subcommands.
	subs []entry
	// shared: the container itself is the state machine's.
	shared bool
}

var handlers = map[*command.Spec]handler{}

// groups are the facade's command tables, each in the file that holds its handlers.
func groups() [][]entry {
	return [][]entry{connectionCommands, transactionCommands, adminCommands, replicationCommands, infoCommands,
		clientCommands, commandCommands, configCommands, serverCommands, memoryCommands, slowlogCommands, latencyCommands,
		debugCommands, lolwutCommands, pubsubCommands}
}

// BuildTable makes the table of all commands. fsmCommands enters the state machine's into a table; subcommands of ours
// that belong to its containers (MEMORY) are handed to it. It is called once, before any server starts.
func BuildTable(fsmCommands func(t *command.Table, more ...*command.Spec)) *command.Table {
	var own, more []*command.Spec
	for _, g := range groups() {
		for i := range g {
			e := &g[i]
			subs := make([]*command.Spec, len(e.subs))
			for j := range e.subs {
				subs[j] = &e.subs[j].Spec
				handlers[subs[j]] = e.subs[j].run
			}
			if e.shared {
				more = append(more, subs...)
				continue
			}
			e.Subcommands = subs
			own = append(own, &e.Spec)
			if e.run != nil {
				handlers[&e.Spec] = e.run
			}
		}
	}
	t := command.NewTable()
	fsmCommands(t, more...)
	for _, s := range own {
		t.Add(s)
	}
	return t
}
