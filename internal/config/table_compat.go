package config

// Why a Redis setting has no effect here.
const (
	whyAOF        = "the Raft log is the append-only file"
	whySnapshots  = "snapshots are Raft's"
	whyRaft       = "replication is Raft's"
	whyOneShard   = "one shard has every slot"
	whyRuntime    = "memory is the Go runtime's"
	whyGoroutines = "connections are goroutines"
	whyManager    = "this is left to the service manager"
	whyCrash      = "crash reports are the Go runtime's"
	whyTLS        = "TLS versions, ciphers and sessions are the Go library's"
	whySocket     = "sockets of this kind are not supported"
	whyAlways     = "it is always so here"
)

// compatSettings are accepted so that clients and files made for Redis find them.
var compatSettings = []*Setting{
	special("save", "", "pairs of seconds and changes, 64 at most", "points at which Redis saves", parseSave).
		adding().writtenAs(saveLines).noEffect(whySnapshots),
	text("dbfilename", "dump.rdb", "name of the dump").checked("a file name without a path", checkFileName).
		protected().noEffect(whySnapshots),
	boolean("stop-writes-on-bgsave-error", true, "refuse writes after a failed save").noEffect(whySnapshots),
	boolean("rdbcompression", true, "compress dumps").noEffect(whySnapshots),
	boolean("rdbchecksum", true, "checksum of dumps").fixed().noEffect(whyAlways),
	boolean("rdb-del-sync-files", false, "delete dumps of a synchronisation").noEffect(whySnapshots),
	boolean("rdb-save-incremental-fsync", true, "flush dumps piece by piece").noEffect(whySnapshots),
	integer("rdb-key-save-delay", 0, -1<<31, maxI32, "us", "debugging delay").hidden().noEffect(whySnapshots),
	integer("key-load-delay", 0, -1<<31, maxI32, "us", "debugging delay").hidden().noEffect(whySnapshots),
	integer("loading-process-events-interval-bytes", 2<<20, 1024, maxI32, "bytes", "events while loading").
		hidden().noEffect(whyGoroutines),
	enum("sanitize-dump-payload", "no", "check of RESTORE payloads", "no", "yes", "clients").noEffect(whyAlways),

	boolean("appendonly", false, "append-only file").noEffect(whyAOF),
	text("appendfilename", "appendonly.aof", "name of the append-only file").fixed().noEffect(whyAOF),
	text("appenddirname", "appendonlydir", "directory of the append-only file").fixed().noEffect(whyAOF),
	boolean("no-appendfsync-on-rewrite", false, "no flush during a rewrite").noEffect(whyAOF),
	integer("auto-aof-rewrite-percentage", 100, 0, maxI32, "", "growth that brings on a rewrite").noEffect(whyAOF),
	memory("auto-aof-rewrite-min-size", 64<<20, 0, maxI64, "smallest file to rewrite").noEffect(whyAOF),
	boolean("aof-use-rdb-preamble", true, "dump inside the append-only file").noEffect(whyAOF),
	boolean("aof-load-truncated", true, "load a file that was cut off").noEffect(whyAOF),
	boolean("aof-rewrite-incremental-fsync", true, "flush rewrites piece by piece").noEffect(whyAOF),
	boolean("aof-timestamp-enabled", false, "times in the append-only file").noEffect(whyAOF),
	boolean("aof-disable-auto-gc", false, "keep old append-only files").noEffect(whyAOF),

	boolean("replica-read-only", true, "followers refuse writes").also("slave-read-only").noEffect(whyAlways),
	boolean("replica-announced", true, "Sentinel lists this node").noEffect(whyAlways),
	boolean("replica-lazy-flush", false, "free old data in the background").also("slave-lazy-flush").noEffect(whyRuntime),
	boolean("replica-ignore-maxmemory", true, "followers do not evict").also("slave-ignore-maxmemory").noEffect(whyRaft),
	boolean("replica-ignore-disk-write-errors", false, "go on after a disk error").noEffect("a node stops at a disk error"),
	enum("propagation-error-behavior", "ignore", "at errors in the stream", "ignore", "panic", "panic-on-replicas").noEffect(whyRaft),
	memory("repl-backlog-size", 1<<20, 1, maxI64, "replication backlog").noEffect(whyRaft),
	integer("repl-backlog-ttl", 3600, 0, maxI64, "s", "life of the backlog").noEffect(whyRaft),
	boolean("repl-disable-tcp-nodelay", false, "delay small packets").noEffect(whyRaft),
	enum("repl-diskless-load", "disabled", "load from the socket", "disabled", "on-empty-db", "swapdb").noEffect(whyRaft),
	boolean("repl-diskless-sync", true, "send dumps without a file").noEffect(whyRaft),
	integer("repl-diskless-sync-delay", 5, 0, maxI32, "s", "wait for further replicas").noEffect(whyRaft),
	integer("repl-diskless-sync-max-replicas", 0, 0, maxI32, "", "replicas to wait for").noEffect(whyRaft),
	integer("repl-ping-replica-period", 10, 1, maxI32, "s", "interval of pings").also("repl-ping-slave-period").noEffect(whyRaft),
	integer("repl-timeout", 60, 1, maxI32, "s", "silence that ends a link").noEffect(whyRaft),

	boolean("cluster-allow-pubsubshard-when-down", true, "shard channels of a cluster that is down").noEffect(whyOneShard),
	boolean("cluster-allow-reads-when-down", false, "reads of a cluster that is down").noEffect(whyOneShard),
	boolean("cluster-allow-replica-migration", true, "replicas move between shards").noEffect(whyOneShard),
	text("cluster-announce-ip", "", "announced address").noEffect("resp-advertise has this meaning"),
	integer("cluster-announce-port", 0, 0, portMax, "", "announced port").noEffect("resp-advertise has this meaning"),
	integer("cluster-announce-tls-port", 0, 0, portMax, "", "announced TLS port").noEffect("resp-advertise has this meaning"),
	integer("cluster-announce-bus-port", 0, 0, portMax, "", "announced bus port").noEffect("raft-advertise has this meaning"),
	text("cluster-announce-hostname", "", "announced name").checked("a host name", checkHostname).
		noEffect("resp-advertise has this meaning"),
	text("cluster-config-file", "nodes.conf", "state of the cluster").fixed().noEffect("membership is in the Raft log"),
	memory("cluster-link-sendbuf-limit", 0, 0, maxI64, "buffer of a link").noEffect(whyOneShard),
	integer("cluster-migration-barrier", 1, 0, maxI32, "", "replicas that stay").noEffect(whyOneShard),
	integer("cluster-node-timeout", 15000, 0, maxI64, "ms", "silence of a failed node").noEffect("raft-profile has this meaning"),
	integer("cluster-port", 0, 0, portMax, "", "port of the bus").fixed().noEffect("raft-addr has this meaning"),
	enum("cluster-preferred-endpoint-type", "ip", "how nodes are named", "ip", "hostname", "unknown-endpoint").noEffect(whyOneShard),
	boolean("cluster-replica-no-failover", false, "never lead").also("cluster-slave-no-failover").noEffect("non-voters never lead"),
	integer("cluster-replica-validity-factor", 10, 0, maxI32, "", "age of data at failover").
		also("cluster-slave-validity-factor").noEffect(whyRaft),
	boolean("cluster-require-full-coverage", true, "stop when slots are missing").noEffect(whyOneShard),

	boolean("activedefrag", false, "defragment memory").noEffect(whyRuntime),
	integer("active-defrag-cycle-max", 25, 1, 99, "", "most effort").noEffect(whyRuntime),
	integer("active-defrag-cycle-min", 1, 1, 99, "", "least effort").noEffect(whyRuntime),
	memory("active-defrag-ignore-bytes", 100<<20, 1, maxI64, "waste to ignore").noEffect(whyRuntime),
	integer("active-defrag-max-scan-fields", 1000, 1, maxI64, "", "fields in one step").noEffect(whyRuntime),
	integer("active-defrag-threshold-lower", 10, 0, 1000, "", "waste to start at").noEffect(whyRuntime),
	integer("active-defrag-threshold-upper", 100, 0, 1000, "", "waste for most effort").noEffect(whyRuntime),
	boolean("activerehashing", true, "rehash in idle time").noEffect(whyRuntime),
	boolean("jemalloc-bg-thread", true, "purge memory in the background").noEffect(whyRuntime),
	boolean("lazyfree-lazy-eviction", false, "free evicted keys in the background").noEffect(whyRuntime),
	boolean("lazyfree-lazy-expire", false, "free expired keys in the background").noEffect(whyRuntime),
	boolean("lazyfree-lazy-server-del", false, "free overwritten keys in the background").noEffect(whyRuntime),
	boolean("lazyfree-lazy-user-del", false, "free deleted keys in the background").noEffect(whyRuntime),
	boolean("lazyfree-lazy-user-flush", false, "free flushed keys in the background").noEffect(whyRuntime),
	{Name: "maxmemory-clients", Kind: Percent, Default: "0", Max: maxI64, Unit: "bytes",
		Doc: "memory of all clients", NoEffect: "each client has limits of its own"},
	integer("maxmemory-eviction-tenacity", 10, 0, 100, "", "effort of eviction").noEffect("eviction goes through the log"),
	integer("active-expire-effort", 1, 1, 10, "", "effort of expiry").noEffect("expiry goes through the log"),
	integer("list-compress-depth", 0, 0, maxI32, "", "list nodes left uncompressed at the ends").noEffect("lists are not compressed"),
	boolean("disable-thp", true, "no transparent huge pages").fixed().noEffect(whyRuntime),
	enum("oom-score-adj", "no", "the kernel's choice of victims", "no", "yes", "relative", "absolute").noEffect(whyManager),
	special("oom-score-adj-values", "0 200 800", "three integers from -2000 to 2000", "scores by role", parseOOMValues).
		noEffect(whyManager),

	integer("hz", 10, 0, maxI32, "", "timer ticks in a second").clamped(clampHz).noEffect(whyGoroutines),
	boolean("dynamic-hz", true, "more ticks with more clients").noEffect(whyGoroutines),
	integer("io-threads", 1, 1, 128, "", "threads for clients").fixed().noEffect(whyGoroutines),
	boolean("io-threads-do-reads", false, "read in threads").fixed().noEffect(whyGoroutines),
	text("server_cpulist", "", "processors of the server").fixed().noEffect(whyManager),
	text("bio_cpulist", "", "processors of background work").fixed().noEffect(whyManager),
	text("aof_rewrite_cpulist", "", "processors of rewrites").fixed().noEffect(whyManager),
	text("bgsave_cpulist", "", "processors of saves").fixed().noEffect(whyManager),
	enum("supervised", "no", "how the supervisor is told", "upstart", "systemd", "auto", "no").fixed().noEffect(whyManager),
	text("pidfile", "", "file for the process id").fixed().noEffect(whyManager),
	boolean("always-show-logo", false, "picture at the start").fixed().noEffect("there is no picture"),
	boolean("set-proc-title", true, "change the process title").fixed().noEffect(whyManager),
	text("proc-title-template", "{title} {listen-addr} {server-mode}", "process title").noEffect(whyManager),
	boolean("syslog-enabled", false, "log to syslog").fixed().noEffect(whyManager),
	text("syslog-ident", "redis", "name in syslog").fixed().noEffect(whyManager),
	enum("syslog-facility", "local0", "facility of syslog", "user", "local0", "local1", "local2", "local3", "local4", "local5",
		"local6", "local7").fixed().noEffect(whyManager),
	boolean("crash-log-enabled", true, "report at a crash").noEffect(whyCrash),
	boolean("crash-memcheck-enabled", true, "memory check at a crash").noEffect(whyCrash),
	boolean("use-exit-on-panic", false, "exit at a panic").hidden().noEffect(whyCrash),
	integer("watchdog-period", 0, 0, maxI32, "ms", "software watchdog").hidden().noEffect(whyCrash),
	text("ignore-warnings", "", "warnings to ignore").noEffect("there are no such warnings"),
	shutdownSetting("shutdown-on-sigint"),
	shutdownSetting("shutdown-on-sigterm"),
	enum("enable-module-command", "no", "who may load modules", "no", "yes", "local").fixed().noEffect("there are no modules"),

	text("unixsocket", "", "Unix socket for clients").fixed().noEffect(whySocket),
	{Name: "unixsocketperm", Kind: Octal, Default: "0", Max: 0o777, Doc: "permissions of the Unix socket",
		Change: Never, NoEffect: whySocket},
	text("bind-source-addr", "", "source address of connections").noEffect(whySocket),
	integer("socket-mark-id", 0, 0, maxU32, "", "mark of sockets").fixed().noEffect(whySocket),
	boolean("tls-cluster", false, "TLS on the cluster bus").noEffect("node-tls has this meaning"),
	text("tls-ca-cert-dir", "", "directory of authorities").noEffect("name a file with tls-ca-cert-file"),
	text("tls-key-file-pass", "", "password of the key").secret().noEffect("keys with a password are not supported"),
	text("tls-client-cert-file", "", "certificate of outgoing connections").noEffect("tls-cert-file is used"),
	text("tls-client-key-file", "", "key of outgoing connections").noEffect("tls-key-file is used"),
	text("tls-client-key-file-pass", "", "password of that key").secret().noEffect("keys with a password are not supported"),
	text("tls-dh-params-file", "", "Diffie-Hellman parameters").noEffect(whyTLS),
	text("tls-protocols", "", "versions of TLS").noEffect(whyTLS),
	text("tls-ciphers", "", "ciphers up to TLS 1.2").noEffect(whyTLS),
	text("tls-ciphersuites", "", "ciphers of TLS 1.3").noEffect(whyTLS),
	boolean("tls-prefer-server-ciphers", false, "who chooses the cipher").noEffect(whyTLS),
	boolean("tls-session-caching", true, "remember sessions").noEffect(whyTLS),
	integer("tls-session-cache-size", 20480, 0, maxI32, "sessions", "sessions remembered").noEffect(whyTLS),
	integer("tls-session-cache-timeout", 300, 0, maxI32, "s", "life of a session").noEffect(whyTLS),
}

func shutdownSetting(name string) *Setting {
	return &Setting{
		Name: name, Kind: EnumSet, Default: "default", Enum: []string{"default", "save", "nosave", "now", "force"},
		Doc: "how the signal stops the server", NoEffect: "a signal always stops the server in good order",
		check: checkShutdown,
	}
}
