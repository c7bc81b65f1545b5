// Package workload holds the clients of the chaos runs: each workload drives a cluster in one way and has what its
// clients were told judged by package check.
//
// The clients are plain ones. They know the addresses of all nodes, look for the one that says it is the master, stay
// with it as long as it takes their writes, and else try the next. They keep the three outcomes of a write apart
// (check.Outcome), and never repeat a write whose outcome they don't know. A client is one goroutine with one
// operation at a time; every goroutine has ended when Run returns.
//
// Histories are judged while the run goes on, as soon as a key or a group of keys has had its share of operations and
// was left for the next one, so a run may be as long as one likes.
package workload
