// Command etcd is the load generator for etcd that the bench program in the directory above builds and runs, as it runs
// redis-benchmark for Redis. It is a module of its own so that etcd's client and all that it needs stay out of the main
// module.
//
// It opens -conns clients with one connection each, lets -pipeline goroutines of each client make one request after
// the other for -time, and prints one line of JSON: how many requests were answered, how long that took, the
// latencies and the CPU time that the generator used. With -op fill it sets every key once instead, many in one
// transaction.
//
// The first request that fails ends the run with exit status 1 and the error on the standard error. A get that finds
// no key is such a failure: it would cost the server less than the gets that are to be measured.
package main
