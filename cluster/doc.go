// Package cluster is the Raft node: it turns proposals into log entries (propose.go, the only caller of raft.Apply),
// applies the log to the state machine (apply.go), confirms leadership for reads (read.go), follows elections
// (leader.go) and changes the membership (membership.go). Storage and transport come in from outside, so that the same
// code runs on disks and sockets, and under virtual time in memory.
//
// A write ends in one of command.Outcome's three ways. Applied: an entry was committed and applied here. Refused: it
// never reached the log, and never will. Unknown: it was handed to Raft, and leadership or patience ran out before it
// was applied here. Which error means which is decided in one place, outcomeOf.
//
// Goroutines: Open starts the proposer, the leader watcher, the keeper and two tenders; Close ends them and waits. All
// methods of Node may be called from any goroutine.
package cluster
