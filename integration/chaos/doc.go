// Command chaos tries to break the promise of a cluster of real redoubt processes: nothing acknowledged is lost, nothing
// stale is read. Workloads (package workload) run all the time and remember what they were told; faults (package fault)
// come and go; when all is healed the nodes must agree, and the workloads' checkers judge the whole history.
//
//	go run ./integration/chaos -minutes 10 -nodes 5 -faults all -workloads all -seed 7
//	go run ./integration/chaos -control retry-unknown
//
// As root on Linux everything runs inside namespaces that vanish with the program. Elsewhere it runs on loopback without
// the faults that need more, and says which those are.
//
// The exit status is 0 if all is well, 1 if there is a violation, an undecided check, a node that ended or stayed away
// without a reason, or a cluster that did not settle; logs and histories are kept then. A negative control (-control) is a
// cluster or a client with a known fault: there the exit status is 0 if the fault was caught, and 1 if not.
package main
