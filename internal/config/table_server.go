package config

// serverSettings: the process, its logs and what operators look at.
var serverSettings = []*Setting{
	text("dir", "./data", "directory for everything that the node keeps").also("data-dir").kept().protected(),
	enum("loglevel", "notice", "the least important messages that are logged", "debug", "verbose", "notice", "warning").hooked(),
	text("logfile", "", "file for the log; empty for the standard output").fixed(),
	boolean("daemonize", false, "run in the background").
		checked("no (a service manager runs the server in the background)", checkStaysNo).
		fixed().noEffect("the server stays in the foreground"),
	integer("databases", 16, 1, 1<<14, "databases", "numbered databases").fixed().agreed(),
	integer("slowlog-log-slower-than", 10000, -1, maxI64, "us", "log commands that take longer; 0 for all, -1 for none"),
	integer("slowlog-max-len", 128, 0, maxI64, "entries", "commands that SLOWLOG remembers"),
	integer("latency-monitor-threshold", 0, 0, maxI64, "ms", "record events that take at least so long; 0 for none"),
	boolean("latency-tracking", true, "keep a latency histogram of every command"),
	special("latency-tracking-info-percentiles", "50 99 99.9", "percentages from 0 to 100",
		"percentiles that INFO prints", parsePercentiles),
	special("notify-keyspace-events", "", "letters of Ag$lshzxeKEtmdn",
		"keyspace events to publish; empty for none", parseEvents),
	integer("busy-reply-threshold", 5000, 0, maxI64, "ms", "a script that runs longer is reported as busy").also("lua-time-limit"),
	integer("shutdown-timeout", 10, 0, maxI32, "s", "longest wait for the handover of leadership on SHUTDOWN"),
	enum("enable-debug-command", "no", "who may use DEBUG", "no", "yes", "local").fixed(),
	enum("enable-protected-configs", "no", "who may set protected settings at run time", "no", "yes", "local").fixed(),
	enum("appendfsync", "always", "when the Raft log reaches the disk; all but always may lose acknowledged writes",
		"everysec", "always", "no").hooked(),
	integer("min-replicas-to-write", 0, 0, maxI32, "nodes", "refuse writes with fewer followers in touch; 0 for never").
		also("min-slaves-to-write"),
	integer("min-replicas-max-lag", 10, 0, maxI32, "s", "a follower silent for longer is not in touch").also("min-slaves-max-lag"),
	boolean("replica-serve-stale-data", true, "a follower without a leader answers reads").also("slave-serve-stale-data"),
	integer("replica-priority", 100, 0, maxI32, "", "preference of this node as leader, lower is better; 0 for never").
		also("slave-priority"),
	boolean("cluster-enabled", false, "speak the cluster protocol: one shard with every slot").fixed().agreed(),
}

// dataSettings: what the data may cost and how it is encoded. They take part in what commands answer, so nodes must
// agree on them.
var dataSettings = []*Setting{
	memory("maxmemory", 0, 0, maxI64, "memory for data above which writes are refused or keys evicted; 0 for any").agreed(),
	enum("maxmemory-policy", "noeviction", "which keys go when maxmemory is reached",
		"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
		"allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction").agreed(),
	integer("maxmemory-samples", 5, 1, maxI32, "keys", "keys looked at to choose one to evict").agreed(),
	integer("lfu-log-factor", 10, 0, maxI32, "", "how slowly the access counter of a key grows").agreed(),
	integer("lfu-decay-time", 1, 0, maxI32, "", "minutes after which the access counter of a key falls by one").agreed(),
	integer("hash-max-listpack-entries", 512, 0, maxI64, "entries", "largest hash in the compact encoding").
		also("hash-max-ziplist-entries").hooked().agreed(),
	memory("hash-max-listpack-value", 64, 0, maxI64, "longest field or value of a hash in the compact encoding").
		also("hash-max-ziplist-value").hooked().agreed(),
	integer("list-max-listpack-size", -2, -1<<31, maxI32, "", "entries of a list node, or its bytes: -1 (4 kb) to -5 (64 kb)").
		also("list-max-ziplist-size").hooked().agreed(),
	integer("set-max-intset-entries", 512, 0, maxI64, "entries", "largest set of integers in the compact encoding").hooked().agreed(),
	integer("zset-max-listpack-entries", 128, 0, maxI64, "entries", "largest sorted set in the compact encoding").
		also("zset-max-ziplist-entries").hooked().agreed(),
	memory("zset-max-listpack-value", 64, 0, maxI64, "longest member of a sorted set in the compact encoding").
		also("zset-max-ziplist-value").hooked().agreed(),
	memory("hll-sparse-max-bytes", 3000, 0, maxI64, "largest HyperLogLog in the sparse encoding").hooked().agreed(),
	memory("stream-node-max-bytes", 4096, 0, maxI64, "most bytes in one node of a stream; 0 for any").hooked().agreed(),
	integer("stream-node-max-entries", 100, 0, maxI64, "entries", "most entries in one node of a stream; 0 for any").hooked().agreed(),
}
