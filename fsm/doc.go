// Package fsm is the replicated state machine: what every node does with the log, and nothing else. It is a function of
// the log: no clock, no chance, no goroutine, no network, no output that depends on the order of a Go map. Time and
// seed come with each entry.
//
// Machine owns the state and one lock. Apply runs entries one at a time, in log order, on every node; View runs read
// commands beside each other between entries; Snapshot takes a copy-on-write picture in microseconds, which is written
// out while Apply goes on. Two machines that have applied the same log have the same Digest, whether they replayed it
// or restored a snapshot of it.
//
// A command is one line in a table (cmd_<group>.go) beside its Executor. Leader, follower and MULTI/EXEC reach it through
// run, and scripts, which are one command themselves, through scriptRun.call. An executor sees only its Tx.
//
// The package knows nothing of Raft, sockets or settings.
package fsm
