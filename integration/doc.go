// Package integration tests whole servers: real processes, real sockets, and redis-server 7.0 as the oracle.
//
// Each test starts the processes that it needs on free loopback ports, with their data in a directory of the test, and
// ends them before it returns. The binary under test is built once. redis-server is found in PATH.
//
//	go test ./integration -run TestScripts             every script against redis-server and against ours
//	go test ./integration -run TestScripts -rewrite    writes redis-server's replies into the scripts; read the diff
//	go test ./integration -run TestRandom -seed 7      one sequence of random commands again
//
// The package has no code outside its tests.
package integration
