// Package simtest runs whole clusters of package cluster in one process under virtual time: real nodes, real
// hashicorp/raft and the real state machine on a simulated network, on simulated disks and clocks.
//
// A Sim belongs to one testing/synctest bubble (Run opens it): everything it starts must end before the bubble does,
// and Run makes sure of that. Its own methods are called from the test's goroutine, or from goroutines of the bubble
// where they say so. Chance comes from one seed, which a failing test prints; REDOUBT_SIM_SEED runs it again. The Go
// scheduler and raft's own random time outs stay outside of it: the same seed makes a similar history, not the same.
//
// What is modelled:
//
//   - Network: per-message delay (at random, so requests overtake each other, except within a raft pipeline, which is
//     one connection), loss, cuts in one or both directions. A message that is lost fails after a time out, one to a
//     stopped process fails at once. Requests and answers are copied. Both ends verify each other (Node.VerifyPeer).
//   - Disk: what a store returned nil for survives a crash, a write under way does not. Writes may be slow, hang or fail.
//     The log accepts what a log of raft-wal accepts.
//   - Clock: the wall clock of a node may be off and may jump; elapsed time is the same everywhere.
//   - Crash: nothing that the process does from then on reaches the network, the disk or a client. It is then closed, so
//     that its goroutines end.
package simtest
