package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A log entry, little endian:
//
//	offset  0  version  u8   entryVersion
//	        1  kind     u8
//	        2  time     i64  the leader's stamp, milliseconds since 1970; never less than the entry before
//	       10  seed     u64  the entry's only source of chance
//	       18  origin   u64  random number of the process that proposed it
//	       26  serial   u64  that process's count: origin and serial find the waiting proposals again
//	       34  body          calls: units (package command); others: see their kind
//
// The log store keeps a checksum of the whole. docs/FORMATS.md repeats this drawing.
const (
	entryVersion     = 1
	entryHeaderBytes = 34
)

// EntryKind says what an entry's body holds.
type EntryKind uint8

// The kinds. Their numbers stand in logs and never change.
const (
	// EntryCalls holds units of commands.
	EntryCalls EntryKind = 1
	// EntryTick has no body: it moves the log time.
	EntryTick EntryKind = 2
	// EntryExpire removes keys, and then fields of hashes, whose deadline has passed: body is a u32, the most to remove.
	EntryExpire EntryKind = 3
	// EntryInit begins a cluster: body is the JSON of Genesis. Later ones are ignored.
	EntryInit EntryKind = 4
	// EntryLead marks the start of a leader's term: body is the JSON of Lead.
	EntryLead EntryKind = 5
	// EntryMember records a node's addresses: body is the JSON of Member.
	EntryMember EntryKind = 6
	// EntryForget drops a node that was removed: body is its id.
	EntryForget EntryKind = 7
	// EntryUnblock ends the waits of blocking commands: body is { waiter u64, command.Unblocking u8 }*.
	EntryUnblock EntryKind = 8
)

// Sentinel errors of Apply. Both stop the node: applying past them would let it diverge.
var (
	ErrEntryVersion = errors.New("log entry of a version or kind that this build does not know; upgrade this node")
	ErrEntryCorrupt = errors.New("log entry is malformed")
)

// EntryHeader is the fixed part of an entry.
type EntryHeader struct {
	Kind   EntryKind
	Time   int64
	Seed   uint64
	Origin uint64
	Serial uint64
}

// AppendEntryHeader begins an entry; its body is appended after it.
func AppendEntryHeader(dst []byte, h EntryHeader) []byte {
	dst = append(dst, entryVersion, byte(h.Kind))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.Time))
	dst = binary.LittleEndian.AppendUint64(dst, h.Seed)
	dst = binary.LittleEndian.AppendUint64(dst, h.Origin)
	return binary.LittleEndian.AppendUint64(dst, h.Serial)
}

// EntryHeaderBytes is the length of an entry's fixed part.
const EntryHeaderBytes = entryHeaderBytes

// DecodeEntry splits an entry. The body points into data.
func DecodeEntry(data []byte) (h EntryHeader, body []byte, err error) {
	if len(data) < 2 {
		return h, nil, fmt.Errorf("%w: %d bytes", ErrEntryCorrupt, len(data))
	}
	h.Kind = EntryKind(data[1])
	if data[0] != entryVersion || h.Kind < EntryCalls || h.Kind > EntryUnblock {
		return h, nil, fmt.Errorf("%w (version %d, kind %d)", ErrEntryVersion, data[0], data[1])
	}
	if len(data) < entryHeaderBytes {
		return h, nil, fmt.Errorf("%w: %d bytes", ErrEntryCorrupt, len(data))
	}
	h.Time = int64(binary.LittleEndian.Uint64(data[2:]))
	h.Seed = binary.LittleEndian.Uint64(data[10:])
	h.Origin = binary.LittleEndian.Uint64(data[18:])
	h.Serial = binary.LittleEndian.Uint64(data[26:])
	return h, data[entryHeaderBytes:], nil
}
