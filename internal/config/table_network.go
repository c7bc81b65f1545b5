package config

const defaultOutputLimits = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"

// networkSettings: who may connect, how, and what a connection may cost.
var networkSettings = []*Setting{
	words("bind", "127.0.0.1 -::1", "addresses to listen on for clients; * for all, a leading - for one that may be missing").
		checked("1 to 16 addresses", checkBind).hooked(),
	integer("port", 6379, 0, portMax, "", "TCP port for clients; 0 for none").hooked(),
	text("resp-addr", "", "host:port for clients: short for bind and port").
		checked("host:port", checkAddr).kept().shorthand(expandRespAddr),
	integer("tls-port", 0, 0, portMax, "", "TCP port for clients that speak TLS; 0 for none").hooked(),
	text("tls-cert-file", "", "PEM file with this node's certificate and its chain").hooked(),
	text("tls-key-file", "", "PEM file with the certificate's private key").hooked(),
	text("tls-ca-cert-file", "", "PEM file with the authorities that sign the peers' certificates").hooked(),
	enum("tls-auth-clients", "yes", "whether clients must show a certificate", "no", "yes", "optional").hooked(),
	boolean("tls-replication", false, "TLS between the nodes; the same as node-tls").kept().agreed(),
	boolean("protected-mode", true, "refuse clients from other machines while no password is set"),
	integer("tcp-backlog", 511, 0, maxI32, "connections", "connections that may wait to be accepted").fixed(),
	integer("tcp-keepalive", 300, 0, maxI32, "s", "interval of TCP keepalive probes; 0 for none"),
	integer("timeout", 0, 0, maxI32, "s", "close a client that is idle for so long; 0 for never"),
	integer("maxclients", 10000, 1, maxU32, "connections", "clients that may be connected at one time"),
	memory("proto-max-bulk-len", 512<<20, 1<<20, maxI64, "longest single argument of a command"),
	memory("client-query-buffer-limit", 1<<30, 1<<20, maxI64, "most input that may wait for one client"),
	special("client-output-buffer-limit", defaultOutputLimits,
		"groups of class (normal, replica, pubsub), hard limit, soft limit, soft seconds",
		"most replies that may wait for one client, for each class", parseOutputLimits).
		merging().writtenAs(outputLimitLines),
	text("requirepass", "", "password of the default user; empty for none").
		checked("text of at most 512 bytes", maxLen(512)).secret(),
	text("masterauth", "", "password that this node shows to the other nodes").
		checked("text of at most 512 bytes", maxLen(512)).secret().agreed(),
	text("masteruser", "", "user that this node shows to the other nodes").agreed(),
	text("aclfile", "", "file with the users, for ACL LOAD and ACL SAVE").fixed(),
	integer("acllog-max-len", 128, 0, maxI64, "entries", "refusals that ACL LOG remembers"),
	enum("acl-pubsub-default", "resetchannels", "what a new user may do with channels", "allchannels", "resetchannels"),
	integer("tracking-table-max-keys", 1000000, 0, maxI64, "keys", "keys remembered for client side caching; 0 for any number"),
	special("replicaof", "", "a host and a port, or NO ONE",
		"a member of the cluster to join; the same as join", parseReplicaOf).also("slaveof").fixed(),
	text("replica-announce-ip", "", "address that this node tells clients in place of its own").also("slave-announce-ip").hooked(),
	integer("replica-announce-port", 0, 0, portMax, "", "port that this node tells clients; 0 for its own").
		also("slave-announce-port").hooked(),
}
