package fsm

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // a fingerprint for comparing replicas, no secret
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sort"

	"github.com/tidwall/btree"
)

// A snapshot is a sequence of records behind a head, little endian:
//
//	head:    "REDOUBT\x00"  version u16
//	record:  kind u8  length u32  payload  crc32c u32 (of kind, length and payload)
//
//	kind 1, meta:  JSON of snapshotMeta; the first record
//	     2, born:  { bucket uvarint  seq uvarint }*
//	     3, keys:  db uvarint  { key  kind u8  enc u8  deadline uvarint  version uvarint  value }*, names as length
//	               uvarint and bytes, values as snapshot_value.go draws them, in the order of the key hash
//	     4, waiting:  last waiter uvarint  { id uvarint  db uvarint  keys  args }*, both as count uvarint and strings;
//	               left out where nobody has ever waited
//	     5, part:  the beginning of the payload of the next record that is none, or a piece of it, which is too long for one
//	     6, scripts:  { source }*, as strings, in the order of loading; left out where none is loaded
//	     7, functions:  { name  source  functions u16  { name  flags u8  described u8  description }* }*, names, sources and
//	               descriptions as strings, in the order of loading; left out where there is no library
//	     255, end: number of keys u64; nothing follows it
//
// Version 1 knew no values with holes, version 2 neither collections nor waiters, version 3 neither scripts nor functions; all are read still.
//
// The bytes are a function of the state: replicas at one index write the same snapshot. docs/FORMATS.md repeats this.
const (
	snapshotMagic      = "REDOUBT\x00"
	snapshotVersion    = 4
	snapshotVersionMin = 1 // the oldest that is read

	recordMeta      = 1
	recordBorn      = 2
	recordKeys      = 3
	recordWait      = 4
	recordPart      = 5
	recordScripts   = 6
	recordFunctions = 7
	recordEnd       = 255

	// recordBytesGoal is when a record of keys is closed. One key more than fits makes a longer record.
	recordBytesGoal = 64 << 10
)

// recordPartBytes is the most that one record holds of a longer payload. Tests lower it.
var recordPartBytes = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// snapshotMeta is everything but keys and born buckets.
type snapshotMeta struct {
	Index     uint64       `json:"index"`
	Time      int64        `json:"time_ms"`
	Seq       uint64       `json:"seq"`
	ClusterID string       `json:"cluster_id"`
	Databases int          `json:"databases"`
	HashKey0  uint64       `json:"hash_key_0"`
	HashKey1  uint64       `json:"hash_key_1"`
	Members   []Member     `json:"members"`
	Retired   []string     `json:"retired,omitempty"`
	Leads     [2]leadStart `json:"leads"`
}

// Snapshot is a picture of the state at one log index. It shares memory with the machine, copy on write. It may be
// written by any goroutine while the machine goes on.
type Snapshot struct {
	meta snapshotMeta
	dbs  []*keyspace
	born []uint64
	last uint64 // waiter
	wait *btree.Map[uint64, *waiter]
	// scripts are those of the cache, in the order of loading, and libs the libraries.
	scripts []*cachedScript
	libs    []*functionLib
}

// Snapshot takes a picture. It holds the lock for microseconds, whatever the size of the data.
func (m *Machine) Snapshot() *Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gen++
	s := &Snapshot{
		meta: snapshotMeta{
			Index: m.index, Time: m.now, Seq: m.seq,
			ClusterID: m.cluster.ID, Databases: m.cluster.Databases,
			HashKey0: m.cluster.hash.k0, HashKey1: m.cluster.hash.k1,
			Members: m.cluster.sortedMembers(), Retired: slices.Clone(m.cluster.retired), Leads: m.cluster.leads,
		},
		born: slices.Clone(m.born),
		dbs:  make([]*keyspace, len(m.dbs)),
		last: m.waiting.last, wait: m.waiting.waiters.Copy(),
		scripts: m.scripts.order, libs: m.functions.libs,
	}
	for i, ks := range m.dbs {
		s.dbs[i] = ks.snapshot()
	}
	return s
}

// Index is the log index that the snapshot is of.
func (s *Snapshot) Index() uint64 { return s.meta.Index }

// Keys counts the keys of all databases, those that have expired but not been removed included.
func (s *Snapshot) Keys() int {
	n := 0
	for _, ks := range s.dbs {
		n += ks.keys
	}
	return n
}

// Digest is a fingerprint of everything that the log has decided: equal on replicas that have applied the same log.
func (m *Machine) Digest() string {
	_, sum := m.DigestAt()
	return sum
}

// DigestAt is Digest and the log index that it is of. It walks through all keys, on a snapshot: writes go on.
func (m *Machine) DigestAt() (index uint64, sum string) {
	s := m.Snapshot()
	index = s.meta.Index
	s.meta.Index = 0 // entries that change nothing (Raft's own) may be counted differently after a restore
	h := sha1.New()  //nolint:gosec // see import
	_, _ = s.WriteTo(h)
	return index, hex.EncodeToString(h.Sum(nil))
}

// WriteTo writes the snapshot. It implements io.WriterTo.
func (s *Snapshot) WriteTo(w io.Writer) (int64, error) {
	rw := &recordWriter{w: bufio.NewWriterSize(w, recordBytesGoal)}
	rw.begin()
	meta, err := json.Marshal(s.meta)
	if err != nil {
		return 0, fmt.Errorf("snapshot meta: %w", err)
	}
	rw.record(recordMeta, meta)
	rw.record(recordBorn, s.appendBorn(nil))
	for i, ks := range s.dbs {
		s.writeKeys(rw, i, ks)
	}
	if s.last != 0 {
		rw.record(recordWait, s.appendWaiting(nil))
	}
	if len(s.scripts) > 0 {
		rw.record(recordScripts, appendScripts(nil, s.scripts))
	}
	if len(s.libs) > 0 {
		rw.record(recordFunctions, appendFunctions(nil, s.libs))
	}
	rw.record(recordEnd, binary.LittleEndian.AppendUint64(nil, uint64(s.Keys())))
	if rw.err == nil {
		rw.err = rw.w.Flush()
	}
	return rw.n, rw.err
}

func (s *Snapshot) appendBorn(dst []byte) []byte {
	for i, seq := range s.born {
		if seq != 0 {
			dst = binary.AppendUvarint(dst, uint64(i))
			dst = binary.AppendUvarint(dst, seq)
		}
	}
	return dst
}

func (s *Snapshot) appendWaiting(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, s.last)
	s.wait.Scan(func(id uint64, e *waiter) bool {
		dst = binary.AppendUvarint(dst, id)
		dst = binary.AppendUvarint(dst, uint64(e.db))
		dst = binary.AppendUvarint(dst, uint64(len(e.keys)))
		for _, key := range e.keys {
			dst = appendString(dst, key)
		}
		dst = binary.AppendUvarint(dst, uint64(len(e.args)))
		for _, arg := range e.args {
			dst = appendString(dst, textOf(arg))
		}
		return true
	})
	return dst
}

func (s *Snapshot) writeKeys(rw *recordWriter, db int, ks *keyspace) {
	if ks.keys == 0 {
		return
	}
	buf := make([]byte, 0, recordBytesGoal)
	head := binary.AppendUvarint(nil, uint64(db))
	buf = append(buf, head...)
	ks.items.Scan(func(_ uint64, first *item) bool {
		for _, it := range sortedChain(first) {
			buf = appendItem(buf, it)
		}
		if len(buf) >= recordBytesGoal {
			rw.record(recordKeys, buf)
			buf = append(buf[:0], head...)
			if cap(buf) > 16*recordBytesGoal {
				buf = append(make([]byte, 0, recordBytesGoal), head...)
			}
		}
		return rw.err == nil
	})
	if len(buf) > len(head) {
		rw.record(recordKeys, buf)
	}
}

// sortedChain lists keys of one hash by name: their order in memory depends on how a node came by them.
func sortedChain(first *item) []*item {
	chain := []*item{first}
	for it := first.next(); it != nil; it = it.next() {
		chain = append(chain, it)
	}
	if len(chain) > 1 {
		sort.Slice(chain, func(i, j int) bool { return chain[i].key() < chain[j].key() })
	}
	return chain
}

func appendItem(dst []byte, it *item) []byte {
	dst = appendString(dst, it.key())
	v := it.value()
	enc := v.savedEncoding()
	dst = append(dst, byte(v.kind()), enc)
	dst = binary.AppendUvarint(dst, uint64(it.expireAt()))
	dst = binary.AppendUvarint(dst, it.version)
	return appendValue(dst, v, enc)
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

type recordWriter struct {
	w   *bufio.Writer
	n   int64
	err error
	hdr [5]byte
}

func (rw *recordWriter) write(b []byte) {
	if rw.err != nil {
		return
	}
	n, err := rw.w.Write(b)
	rw.n += int64(n)
	rw.err = err
}

func (rw *recordWriter) record(kind byte, payload []byte) {
	for len(payload) > recordPartBytes {
		rw.piece(recordPart, payload[:recordPartBytes])
		payload = payload[recordPartBytes:]
	}
	rw.piece(kind, payload)
}

func (rw *recordWriter) piece(kind byte, payload []byte) {
	rw.hdr[0] = kind
	binary.LittleEndian.PutUint32(rw.hdr[1:], uint32(len(payload)))
	sum := crc32.Update(crc32.Checksum(rw.hdr[:], castagnoli), castagnoli, payload)
	rw.write(rw.hdr[:])
	rw.write(payload)
	rw.write(binary.LittleEndian.AppendUint32(nil, sum))
}

func (rw *recordWriter) begin() {
	rw.write([]byte(snapshotMagic))
	rw.write(binary.LittleEndian.AppendUint16(nil, snapshotVersion))
}

// membersMap is the inverse of sortedMembers.
func membersMap(ms []Member) map[string]Member {
	out := make(map[string]Member, len(ms))
	for _, m := range ms {
		out[m.ID] = m
	}
	return out
}
