// Package storage is a node's data directory: the lock, the identity, and the three stores that hashicorp/raft asks for
// (log, stable, snapshot), each behind checksums and one common guard.
//
//	DIR/LOCK        flock; holds the pid of its owner
//	DIR/identity    sealed file: node id, instance, cluster id, log store, has-state flag
//	DIR/stable.db   raft-boltdb with one sealed record: term and vote always change in one transaction
//	DIR/mark        two slots of 32 bytes: the highest log index known to be durable
//	DIR/book        sealed file: the addresses of other nodes, a hint that the node starts without, too
//	DIR/log/        raft-wal segments and their sealed table "meta", or raft-boltdb's log.db
//	DIR/snapshots/  one directory a snapshot: "meta" (sealed) and "state" (the state machine's bytes as they are)
//
// A sealed file is one line, "redoubt KIND VERSION CRC32C", then JSON; the sum covers kind, version and JSON.
//
// The contract:
//
//   - What a store returned nil for is durable (Fsync always), and is served back unchanged or not at all: an error
//     that wraps ErrDamaged names the file and what to do. A node never starts empty, or with a shorter log, under an
//     identity that has acted.
//   - The first failed write or sync fails the directory for good: every later write returns ErrFailed, which wraps
//     the first cause. Nothing is retried, since after a failed fsync the kernel may report success for data it has
//     dropped. Reads go on: raft panics on a failed read, which would cut short the orderly stop that OnFailure starts.
//     A damaged entry met by a read fails the directory too. A snapshot alone may run out of room: it is then removed as
//     if it had never been begun, and the directory goes on (docs/adr/0010).
//   - All methods of Dir and of its stores may be called from any goroutine. A sink belongs to one goroutine.
//   - Close raft first, then the directory. Close waits for the one goroutine (it syncs once a second) and for writes
//     that are under way; on a disk that hangs it hangs too.
//
// What is not covered: damage while the process runs that makes bbolt's page tree circular; and, after a power cut with
// a disk that lies about fsync, the loss of what was written in the last second before it, for which nothing on that disk
// can be a witness. A snapshot store's meta is trusted once its sum holds.
package storage
