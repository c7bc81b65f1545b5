package config

// The bounds of settings that size buffers and entries.
const (
	// raftEntryBytesMax is what the log stores take (cluster/storage.EntryBytesMax).
	raftEntryBytesMax    = 32 << 20
	raftEntryBytesMin    = 64 << 10
	batchBytesMin        = 1 << 10
	batchInflightMax     = 64 // entries
	proposalBytesMin     = 1 << 20
	proposalBytesMax     = 64 << 30
	diskReserveBytesMax  = 1 << 50
	writeTimeoutMsMax    = 10 * 60 * 1000
	handoverTimeoutMsMax = 10 * 60 * 1000
)

// redoubtSettings have no counterpart in Redis.
var redoubtSettings = []*Setting{
	text("node-id", "", "name of this node, unique in the cluster and for ever").
		checked("text of at most 128 bytes", maxLen(128)).kept(),
	text("raft-addr", "127.0.0.1:7379", "host:port to listen on for the other nodes").checked("host:port", checkAddr).kept(),
	text("raft-advertise", "", "host:port at which the other nodes reach this one; empty for raft-addr").
		checked("host:port", checkAddr).kept(),
	text("resp-advertise", "", "host:port at which clients reach this node; empty for bind and port").
		checked("host:port", checkAddr).kept(),
	boolean("bootstrap", false, "start a new cluster of this one node, unless a node named by join is in one; ignored on a node that has state").standsAlone().kept(),
	special("join", "", "addresses host:port", "client addresses of members of the cluster to join; a node that has state asks there when it hears of no leader",
		parseJoin).adding().kept(),
	enum("log-store", "wal", "where the Raft log is kept", "wal", "boltdb").kept(),
	enum("raft-profile", "lan", "how fast a silent leader is replaced", "lan", "wan").kept().agreed(),
	enum("read-consistency", "linearizable", "how the leader makes sure that a read is current", "linearizable", "lease", "stale"),
	enum("follower-read-consistency", "local", "whether a follower asks the leader before it answers a read", "local", "linearizable"),
	integer("snapshot-threshold", 16384, 1, maxI32, "entries", "log entries since the last snapshot that bring on the next").kept(),
	integer("snapshot-interval", 120, 1, maxI32, "s", "how often the threshold is looked at").kept(),
	integer("trailing-logs", 32768, 0, maxI32, "entries", "log entries kept behind a snapshot for followers that lag").kept(),
	memory("raft-max-entry-bytes", 32<<20, raftEntryBytesMin, raftEntryBytesMax, "largest log entry, so the largest write").
		kept().agreed(),
	memory("batch-entry-bytes", 64<<10, batchBytesMin, raftEntryBytesMax, "size at which a log entry takes no further write").kept(),
	integer("batch-inflight", 4, 1, batchInflightMax, "entries", "log entries under way at one time").kept(),
	memory("proposal-queue-bytes", 64<<20, proposalBytesMin, proposalBytesMax, "writes that may wait for a log entry").kept(),
	memory("disk-reserve-bytes", 64<<20, 0, diskReserveBytesMax,
		"room on disk below which writes are refused and leadership goes to another node; 0 for none").kept(),
	integer("write-timeout-ms", 5000, 1, writeTimeoutMsMax, "ms", "after so long the outcome of a write is reported as unknown"),
	boolean("node-tls", false, "TLS between the nodes, with the files of the tls settings").standsAlone().kept().agreed(),
	boolean("node-allow-insecure", false, "let nodes on other machines talk without a password or TLS").standsAlone().kept(),
	integer("handover-timeout-ms", 5000, 1, handoverTimeoutMsMax, "ms", "longest wait for another node to take leadership over"),
	boolean("active-expire-enabled", true, "the leader removes expired keys by itself"),
}
