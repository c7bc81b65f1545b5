// Command bench measures a cluster of ours on one Linux machine, beside Redis and etcd, and prints Markdown tables.
//
//	go run ./integration/bench                   the matrix: rates, latencies, CPU, ratios and aims; about 20 minutes
//	go run ./integration/bench -quick            fewer cells of it, shorter ones: about two minutes
//	go run ./integration/bench -growth keys      how the cost grows with nodes, values, conns or keys; -svg DIR draws it
//	go run ./integration/bench -mode snapshot    latency of SET with and without a snapshot under way
//	go run ./integration/bench -mode memory      memory of a million keys
//	go run ./integration/bench -mode restart     time to load five million keys
//	go run ./integration/bench -mode failover    pauses when the leader is killed, and when it hands over
//	go run ./integration/bench -o bench.md       writes the report into a file too
//
// The systems of the matrix run at the same time, all on loopback and all with their data under -dir, which must be a
// real disk: three nodes of ours (every write fsynced by a majority before it is answered), one redis-server with
// appendfsync always, a primary with two replicas, all three with appendfsync always, and three members of etcd, if
// that is installed. Only one of them is under load at a time; the others stand idle. Every cell is measured in
// several rounds, in which the systems take turns, and the median of the rounds is what the tables show.
//
// redis-benchmark makes the load for plain SET and GET. It cannot send SET followed by WAIT, so those cells, and the
// cells that they are compared with, are measured by a generator of our own: a goroutine for each connection that
// writes a pipeline of SETs (and one WAIT 1 after them, if asked) at once and reads all the replies before it goes
// on. The load on etcd comes from a program in the directory etcd, which uses etcd's own client and is a module of
// its own.
//
// The other modes start the systems that they need by themselves. compare.sh compares Go benchmarks of two revisions.
//
// The program ends the processes that it started, also when it is interrupted, and removes their data. It exits with
// status 1 if a cell could not be measured; an aim that is missed is reported, but is no failure.
package main
