// Package fault runs clusters of real redoubt processes and does harm to them: it kills, pauses and restarts nodes, cuts
// and disturbs the network between them, moves leadership and membership about, fills, breaks and stalls their disks, cuts
// their power and sets their clocks.
//
// A Cluster is a set of nodes. On Linux, as root, a program calls Isolated, which runs it again inside mount, network and
// process namespaces of its own: there each node has a network namespace and, if asked for, a disk of its own, and the
// kernel takes everything away when the program ends, in whatever way it ends. Elsewhere the nodes share loopback and the
// file system, and the kinds of faults that need more are not available; Available says why.
//
// A Kind makes Faults. A Fault chooses its victims with the random source that it was made with, so that a seed repeats the
// choices (not the timing). Faults are begun and ended by one goroutine; Nodes, Addrs and Exits may be called by any.
package fault
