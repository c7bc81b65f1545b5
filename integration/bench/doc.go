// Command bench measures a cluster of ours beside Redis on one Linux machine and prints a Markdown table of rates,
// latencies and ratios.
//
//	go run ./integration/bench                   the whole matrix, about ten minutes
//	go run ./integration/bench -quick            fewer cells, shorter ones: about ninety seconds
//	go run ./integration/bench -o bench.md       writes the table into a file too
//
// Three systems run at the same time, all on loopback and all with their data under -dir, which must be a real disk:
// three nodes of ours (every write fsynced by a majority before it is answered), one redis-server with appendfsync
// always, and a primary with two replicas, all three with appendfsync always. Only one of them is under load at a time;
// the others stand idle. Every cell is measured in several rounds, in which the systems take turns, and the median of the
// rounds is what the tables show.
//
// redis-benchmark makes the load for plain SET and GET. It cannot send SET followed by WAIT, so those cells, and the
// cells that they are compared with, are measured by a generator of our own: a goroutine for each connection that writes
// a pipeline of SETs (and one WAIT 1 after them, if asked) at once and reads all the replies before it goes on.
//
// The program ends the processes that it started, also when it is interrupted, and removes their data. It exits with
// status 1 if a cell could not be measured; an aim that is missed is reported, but is no failure.
package main
