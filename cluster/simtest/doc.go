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
//     one connection), slow links, loss, cuts in one or both directions, requests that arrive twice, the second time up
//     to lateMax later. A message that is lost fails after a time out, one to a stopped process fails at once. Requests
//     and answers are copied. Both ends verify each other (Node.VerifyPeer).
//   - Disk: what was synced survives a crash; of the later writes, those under way among them, any number does, in
//     their order, the last one torn. Writes may be slow, hang or fail. StoreLogs syncs, unless the disk is Lazy. The
//     log accepts what a log of raft-wal accepts.
//   - Clock: the wall clock of a node may be off and may jump; elapsed time is the same everywhere.
//   - Crash: nothing that the process does from then on reaches the network, the disk or a client. It is then closed,
//     so that its goroutines end. A process that ends by itself is started again if Options.Supervised says so.
//
// What is checked, in every run that a Sim makes (ledger.go): one leader a term; one entry at an index and term in all
// logs, written or sent by that term's leader first, after the same entry everywhere; one entry applied at an index; what
// is applied anywhere, or acknowledged, is by then synced by a majority; who says that it has an entry has synced it
// (safe.go); equal digests of the state machines at equal indexes; and by synctest that no goroutine is left. A violation fails the test
// and prints what led to it. What clients saw is checked by the tests (History, and the workload in package cluster's
// tests).
//
// Bare is a node of the Raft library alone, which the tests of our cures (cluster/cure*_test.go) are compared with.
package simtest
