package fsm

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// Sentinel errors of Restore.
var (
	ErrSnapshotCorrupt = errors.New("snapshot is damaged")
	ErrSnapshotVersion = errors.New("snapshot of a version that this build does not know; upgrade this node")
)

// recordBytesMax bounds one record. Versions 1 and 2 had no parts: their longest is a string and its key.
const recordBytesMax = 1 << 30

// Restore replaces the whole state with a snapshot's. On an error (ErrSnapshotCorrupt and ErrSnapshotVersion among
// them) the state is as it was.
func (m *Machine) Restore(r io.Reader) error {
	l := loader{src: bufio.NewReaderSize(r, recordBytesGoal)}
	s, err := l.load()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = s
	// Items of the restored state carry generation 0; raising gen is not needed for correctness but keeps clones rare.
	m.gen = 0
	m.watches.tellAll()
	m.events.noteFlush(nil)
	m.tellEvents()
	return nil
}

type loader struct {
	src    *bufio.Reader
	offset int64
	buf    bytes.Buffer
	s      state
	keys   uint64
}

func (l *loader) corrupt(format string, a ...any) error {
	return fmt.Errorf("%w: record at offset %d: %s", ErrSnapshotCorrupt, l.offset, fmt.Sprintf(format, a...))
}

func (l *loader) load() (state, error) {
	if err := l.head(); err != nil {
		return state{}, err
	}
	kind, payload, err := l.record()
	if err != nil {
		return state{}, err
	}
	if kind != recordMeta {
		return state{}, l.corrupt("kind %d where the meta record belongs", kind)
	}
	if err := l.meta(payload); err != nil {
		return state{}, err
	}
	for {
		kind, payload, err := l.record()
		if err != nil {
			return state{}, err
		}
		switch kind {
		case recordBorn:
			err = l.born(payload)
		case recordKeys:
			err = l.keysRecord(payload)
		case recordWait:
			err = l.waiting(payload)
		case recordScripts:
			err = l.scripts(payload)
		case recordFunctions:
			err = l.functions(payload)
		case recordEnd:
			return l.s, l.end(payload)
		default:
			err = fmt.Errorf("%w: record kind %d", ErrSnapshotVersion, kind)
		}
		if err != nil {
			return state{}, err
		}
	}
}

func (l *loader) head() error {
	var head [len(snapshotMagic) + 2]byte
	if _, err := io.ReadFull(l.src, head[:]); err != nil {
		return l.corrupt("head: %v", err)
	}
	if string(head[:len(snapshotMagic)]) != snapshotMagic {
		return l.corrupt("not a snapshot of ours")
	}
	v := binary.LittleEndian.Uint16(head[len(snapshotMagic):])
	if v < snapshotVersionMin || v > snapshotVersion {
		return fmt.Errorf("%w: version %d", ErrSnapshotVersion, v)
	}
	l.offset = int64(len(head))
	return nil
}

// record reads one record, with the parts before it. The payload is valid until the next call.
func (l *loader) record() (kind byte, payload []byte, err error) {
	kind, payload, err = l.piece()
	if err != nil || kind != recordPart {
		return kind, payload, err
	}
	var whole []byte
	for kind == recordPart {
		whole = append(whole, payload...)
		if kind, payload, err = l.piece(); err != nil {
			return 0, nil, err
		}
	}
	return kind, append(whole, payload...), nil
}

// piece reads one record and checks its sum. The payload is valid until the next call. Memory grows with the bytes
// that arrive, not with the length that is claimed.
func (l *loader) piece() (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(l.src, head[:]); err != nil {
		return 0, nil, l.corrupt("cut off: %v", err)
	}
	n := binary.LittleEndian.Uint32(head[1:])
	if n > recordBytesMax {
		return 0, nil, l.corrupt("length %d", n)
	}
	l.buf.Reset()
	if got, err := io.CopyN(&l.buf, l.src, int64(n)+4); err != nil {
		return 0, nil, l.corrupt("cut off after %d of %d bytes: %v", got, n, err)
	}
	all := l.buf.Bytes()
	payload = all[:n]
	sum := crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, payload)
	if sum != binary.LittleEndian.Uint32(all[n:]) {
		return 0, nil, l.corrupt("checksum mismatch")
	}
	l.offset += int64(len(head)) + int64(len(all))
	return head[0], payload, nil
}

func (l *loader) meta(payload []byte) error {
	var meta snapshotMeta
	if err := json.Unmarshal(payload, &meta); err != nil {
		return l.corrupt("meta: %v", err)
	}
	if meta.Databases < 1 || meta.Databases > DatabasesMax {
		return l.corrupt("meta: %d databases", meta.Databases)
	}
	l.s = newState()
	l.s.index, l.s.now, l.s.seq = meta.Index, meta.Time, meta.Seq
	l.s.dbs = newDatabases(meta.Databases)
	l.s.cluster = clusterState{
		ID: meta.ClusterID, Databases: meta.Databases, hash: hashKey{meta.HashKey0, meta.HashKey1},
		members: membersMap(meta.Members), retired: meta.Retired, leads: meta.Leads,
	}
	return nil
}

func (l *loader) born(payload []byte) error {
	d := decoder{rest: payload}
	for len(d.rest) > 0 && !d.bad {
		bucket, seq := d.uvarint(), d.uvarint()
		if bucket >= bornBuckets {
			return l.corrupt("born bucket %d", bucket)
		}
		l.s.born[bucket] = seq
	}
	if d.bad {
		return l.corrupt("born record malformed")
	}
	return nil
}

func (l *loader) waiting(payload []byte) error {
	d := decoder{rest: payload}
	l.s.waiting.last = d.uvarint()
	for before := uint64(0); len(d.rest) > 0 && !d.bad; {
		e := d.waiter()
		d.bad = d.bad || e.id <= before || e.id > l.s.waiting.last || e.db >= len(l.s.dbs) || table.Lookup(e.args) == nil
		if !d.bad {
			l.s.waiting.enter(e)
			before = e.id
		}
	}
	if d.bad {
		return l.corrupt("waiting record malformed")
	}
	return nil
}

func (d *decoder) waiter() *waiter {
	e := &waiter{id: d.uvarint()}
	db := d.uvarint()
	d.bad = d.bad || db > DatabasesMax
	e.db = int(db)
	for range d.count() {
		e.keys = append(e.keys, string(d.bytes()))
	}
	for range d.count() {
		e.args = append(e.args, slices.Clone(d.bytes()))
	}
	return e
}

func (l *loader) keysRecord(payload []byte) error {
	d := decoder{rest: payload}
	db := d.uvarint()
	if d.bad || db >= uint64(len(l.s.dbs)) {
		return l.corrupt("database %d", db)
	}
	ks := l.s.dbs[db]
	for len(d.rest) > 0 {
		it := d.item()
		if d.bad {
			return l.corrupt("key malformed")
		}
		ks.put(l.s.cluster.hash.sum(dataOf(it.key())), it)
		l.keys++
	}
	return nil
}

func (l *loader) end(payload []byte) error {
	if len(payload) != 8 || binary.LittleEndian.Uint64(payload) != l.keys {
		return l.corrupt("the end record does not count %d keys", l.keys)
	}
	if _, err := l.src.ReadByte(); !errors.Is(err, io.EOF) {
		return l.corrupt("bytes after the end")
	}
	return nil
}

// decoder reads the payload of a record that has passed its checksum; bad is set by anything malformed all the same.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) uvarint() uint64 {
	n, w := binary.Uvarint(d.rest)
	if w <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[w:]
	return n
}

// count reads how many elements follow. Each takes a byte at least, so that no number has them counted for ever.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return 0
	}
	return int(n)
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) item() *item {
	key := textOf(d.bytes())
	k, enc := kind(d.byte()), encoding(d.byte())
	expireAt := int64(d.uvarint())
	version := d.uvarint()
	it := newItem(key, d.value(k, enc), expireAt, 0)
	it.version = version
	return it
}
