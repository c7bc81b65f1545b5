// Command conformance runs Redis's own test suite, that of version 7.0.15, against a cluster of three nodes of ours, and
// compares how many of its checks pass with how many pass on redis-server.
//
//	go run ./integration/conformance                        every file that passes a check on redis-server
//	go run ./integration/conformance unit/type/string       these files only
//	go run ./integration/conformance -quick                 the files that take seconds
//	go run ./integration/conformance -floor 95 -o report.md exit status 1 below 95 percent of Redis's checks
//	go run ./integration/conformance -baseline              counts Redis's own checks anew: a plain redis-server is tested
//
// The suite is fetched once as Debian's source package (fetch.sh) and unpacked under .cache, which git ignores: it is run,
// never copied. It needs tclsh, redis-cli and redis-benchmark. Each file runs by itself with a time limit, because an error
// outside a check ends a whole run of the suite; one that does not come to its end gets a second try. The checks go to the leader. suite.go says which checks are left out.
// The nodes run without fsync, since replies are what is tested; -server-args "--appendfsync always" has them sync.
//
// After each file the three nodes must run and be at one log index with one digest. A node that ended and digests that
// differ are faults, which make the exit status 1 whatever the floor is. After a fault, and after a file that did not come
// to its end (it may have left a password, a pause or a setting behind), the nodes are started anew with nothing in them.
//
// What the suite printed and the nodes' logs stay in a directory whose name is printed at the end.
package main
