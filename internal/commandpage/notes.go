package commandpage

const (
	byLogTime = "by the time of the log: everywhere at once, and never back"
	untracked = "always as for a connection without tracking"
	ofRedis72 = "of Redis 7.2, for the client libraries that send it"
	asyncSync = "ASYNC and SYNC are the same"
	ourWords  = "a text of our own"
)

// differs says what a command does otherwise than in Redis 7.0, or what its words mean here.
var differs = map[string]string{
	"acl|whoami":          "there is one user, `default`",
	"bgrewriteaof":        "takes a Raft snapshot, behind which the log is cut",
	"bgsave":              "takes a Raft snapshot; no write depends on it",
	"bitop":               "with DIFF, DIFF1, ANDOR and ONE of Redis 8.2",
	"client|caching":      untracked,
	"client|getredir":     untracked,
	"client|no-evict":     "without effect: each client has limits of its own",
	"client|no-touch":     ofRedis72,
	"client|setinfo":      ofRedis72,
	"client|tracking":     "ON is refused: there are no invalidation messages yet",
	"client|trackinginfo": untracked,
	"command|docs":        "summaries and complexities in words of our own",
	"config":              "settings that mean nothing here are accepted without effect",
	"config|set":          "of this node alone",
	"debug": "off unless `enable-debug-command` allows it; SLEEP holds its own connection only; RELOAD, LOADAOF and " +
		"CHANGE-REPL-ID are refused; of the rest only what means something here",
	"exec":                "the commands are one log entry, and must fit into it",
	"expire":              byLogTime,
	"expireat":            byLogTime,
	"failover":            "a transfer of leadership",
	"flushall":            asyncSync,
	"flushdb":             asyncSync,
	"hello":               "the version is that of the Redis whose commands are there",
	"hexpire":             byLogTime,
	"hexpireat":           byLogTime,
	"hgetex":              byLogTime,
	"hpexpire":            byLogTime,
	"hpexpireat":          byLogTime,
	"hsetex":              byLogTime,
	"hscan":               "with NOVALUES of Redis 7.4",
	"info":                "replication is told from Raft; the section `raft` and the field `redoubt_version` are ours",
	"lastsave":            "of this node's newest Raft snapshot",
	"latency|doctor":      ourWords,
	"lolwut":              ourWords,
	"memory|doctor":       ourWords,
	"memory|malloc-stats": "figures of the Go runtime",
	"memory|purge":        "collects garbage",
	"memory|stats":        "figures of the Go runtime under Redis's names; 0 for what is not here",
	"memory|usage":        "an estimate of our own, the same on every node",
	"module|list":         "there are none",
	"object|freq":         "always the error of a server without an LFU policy",
	"object|idletime":     "of this node: uses on others do not count; 0 in a script that goes through the log",
	"object|refcount":     "what Redis would count",
	"pexpire":             byLogTime,
	"pexpireat":           byLogTime,
	"replicaof":           "a transfer of leadership to a member, or joining a cluster; not the copying of a plain Redis",
	"role":                "told from Raft; offsets are indexes of the log",
	"save":                "takes a Raft snapshot and waits for it",
	"scan":                "cursors stay valid across restarts and failover",
	"set":                 "with IFEQ, IFNE, IFDEQ and IFDNE of Redis 8.4",
	"shutdown":            "hands leadership over first; SAVE, NOSAVE, NOW and FORCE make no difference",
	"slaveof":             "as REPLICAOF",
	"slowlog|get":         "the time of a write ends with its reply: the commit counts",
	"time":                "this node's clock, which is not the time of the log",
	"wait":                "counts followers that have the write; a majority has it in any case",
	"zrank":               "with WITHSCORE of Redis 7.2",
	"zrevrank":            "with WITHSCORE of Redis 7.2",
	"zscan":               "with NOSCORES of Valkey 8.1",
}

// refusal is why commands or options will not be here.
type refusal struct {
	names []string // as in redisCommands, or, with a space, an option of a command that is here
	why   string
}

var refusals = []refusal{
	{[]string{"module|load", "module|loadex", "module|unload"}, "there are no modules: code of others beside the state machine could make nodes differ"},
	{[]string{"sync", "psync", "replconf"}, "nodes replicate by Raft, and a plain Redis cannot be one of them"},
	{[]string{"restore-asking"}, "a part of moving slots between the shards of a Redis Cluster; here is one shard"},
	{[]string{
		"cluster|addslots", "cluster|addslotsrange", "cluster|bumpepoch", "cluster|delslots", "cluster|delslotsrange",
		"cluster|flushslots", "cluster|reset", "cluster|saveconfig", "cluster|set-config-epoch", "cluster|setslot",
	}, "one shard has all slots, and who is in it stands in the Raft log"},
	{[]string{"cluster|forget", "cluster|meet", "cluster|replicate"}, "membership is changed by REDOUBT ADMIN, or `redoubt cluster`"},
	{[]string{"failover force"}, "it could lose acknowledged writes"},
	{[]string{"debug reload", "debug loadaof"}, "the state is that of the Raft log; a restart reads it again"},
	{[]string{"debug change-repl-id"}, "the replication id follows from the cluster and its terms"},
}
