package command

import (
	"encoding/binary"
	"errors"
)

// The body of a log entry of calls is a sequence of units:
//
//	call:  1  db  argc  { len bytes }*argc
//	txn:   2  nwatch { db  len key  version  born }*nwatch  ncalls { db  argc  { len bytes }*argc }*ncalls
//
// Numbers are unsigned varints. In a transaction argc 0 stands for a command that the connection answers itself.
const (
	unitCall = 1
	unitTxn  = 2
)

// ErrCorruptUnit is returned for bytes that are no sequence of units.
var ErrCorruptUnit = errors.New("log entry: malformed unit")

// AppendCall encodes a call unit.
func AppendCall(dst []byte, db int, args [][]byte) []byte {
	return appendArgs(append(dst, unitCall), db, args)
}

func appendArgs(dst []byte, db int, args [][]byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(db))
	dst = binary.AppendUvarint(dst, uint64(len(args)))
	for _, a := range args {
		dst = appendBytes(dst, a)
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// AppendTxn encodes a transaction unit. A call without Args stands for a reply that the connection fills in.
func AppendTxn(dst []byte, watches []Watch, calls []Call) []byte {
	dst = append(dst, unitTxn)
	dst = binary.AppendUvarint(dst, uint64(len(watches)))
	for i := range watches {
		w := &watches[i]
		dst = binary.AppendUvarint(dst, uint64(w.DB))
		dst = appendBytes(dst, w.Key)
		dst = binary.AppendUvarint(dst, w.Version)
		dst = binary.AppendUvarint(dst, w.Born)
	}
	dst = binary.AppendUvarint(dst, uint64(len(calls)))
	for i := range calls {
		dst = appendArgs(dst, calls[i].DB, calls[i].Args)
	}
	return dst
}

// Unit is one decoded unit. Its slices point into the entry.
type Unit struct {
	Txn     bool
	Watches []Watch
	Calls   []Call
}

// UnitReader decodes a sequence of units without copying. The unit returned by Next is overwritten by the next call.
type UnitReader struct {
	rest []byte
	unit Unit
	args [][]byte
	err  error
}

// Reset starts reading body.
func (r *UnitReader) Reset(body []byte) { r.rest, r.err = body, nil }

// Next returns the next unit; nil at the end or on malformed input, which Err then reports.
func (r *UnitReader) Next() *Unit {
	if r.err != nil || len(r.rest) == 0 {
		return nil
	}
	kind := r.rest[0]
	r.rest = r.rest[1:]
	r.args = r.args[:0]
	r.unit.Watches, r.unit.Calls = r.unit.Watches[:0], r.unit.Calls[:0]
	switch kind {
	case unitCall:
		r.unit.Txn = false
		r.call()
	case unitTxn:
		r.unit.Txn = true
		r.watches()
		for n := r.count(2); n > 0 && r.err == nil; n-- {
			r.call()
		}
	default:
		r.err = ErrCorruptUnit
	}
	if r.err != nil {
		return nil
	}
	return &r.unit
}

// Err is ErrCorruptUnit after malformed input.
func (r *UnitReader) Err() error { return r.err }

func (r *UnitReader) watches() {
	for n := r.count(4); n > 0 && r.err == nil; n-- {
		r.unit.Watches = append(r.unit.Watches, Watch{DB: int(r.uvarint()), Key: r.bytes(), Version: r.uvarint(), Born: r.uvarint()})
	}
}

func (r *UnitReader) call() {
	db := int(r.uvarint())
	n := r.count(1)
	first := len(r.args)
	for ; n > 0 && r.err == nil; n-- {
		r.args = append(r.args, r.bytes())
	}
	// Growing r.args later leaves this window on the old array, whose elements stay as they are.
	r.unit.Calls = append(r.unit.Calls, Call{DB: db, Args: r.args[first:len(r.args):len(r.args)]})
}

// count reads a number of items of at least size bytes each, so that no length on disk makes an allocation.
func (r *UnitReader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.rest)/size) {
		r.err = ErrCorruptUnit
		return 0
	}
	return int(n)
}

func (r *UnitReader) uvarint() uint64 {
	n, w := binary.Uvarint(r.rest)
	if w <= 0 {
		r.err = ErrCorruptUnit
		r.rest = nil
		return 0
	}
	r.rest = r.rest[w:]
	return n
}

func (r *UnitReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.err = ErrCorruptUnit
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}
