package fsm

import (
	"bytes"
	"math"
	"math/bits"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/streams"
)

const errStreamID = "ERR Invalid stream ID specified as stream command argument"

const idBytesMax = 127 // a longer ID is none

// parseID reads "5-1", or "5", whose sequence is seq.
func parseID(arg []byte, seq uint64) (id streams.ID, ok bool) {
	if len(arg) > idBytesMax {
		return id, false
	}
	arg, _, _ = bytes.Cut(arg, []byte{0}) // where Redis stops reading
	ms, rest, cut := bytes.Cut(arg, []byte("-"))
	if id.Ms, ok = parseIDNumber(ms); !ok {
		return id, false
	}
	if id.Seq = seq; cut {
		id.Seq, ok = parseIDNumber(rest)
	}
	return id, ok
}

// parseIDNumber reads a number as Redis does: one without a sign and zeros ahead of it, or else what C's strtoull takes, which
// are spaces, a sign, and zeros.
func parseIDNumber(s []byte) (n uint64, ok bool) {
	if plain, ok := parseInt(s); ok {
		return uint64(plain), plain >= 0
	}
	s = bytes.TrimLeft(s, " \t\n\v\f\r")
	minus := len(s) > 0 && s[0] == '-'
	if minus || len(s) > 0 && s[0] == '+' {
		s = s[1:]
	}
	for _, c := range s {
		hi, lo := bits.Mul64(n, 10)
		next, carry := bits.Add64(lo, uint64(c-'0'), 0)
		if c < '0' || c > '9' || hi != 0 || carry != 0 {
			return 0, false
		}
		n = next
	}
	if minus {
		n = -n
	}
	return n, len(s) > 0
}

// idArg reads an ID argument; one without a sequence has 0. ok is false where an error was replied.
func idArg(arg []byte, r command.Reply) (id streams.ID, ok bool) {
	if id, ok = parseID(arg, 0); !ok {
		r.Error(errStreamID)
	}
	return id, ok
}

// idArgs reads IDs. ok is false where an error was replied.
func idArgs(args [][]byte, r command.Reply) (ids []streams.ID, ok bool) {
	ids = make([]streams.ID, len(args))
	for i, arg := range args {
		if ids[i], ok = idArg(arg, r); !ok {
			return nil, false
		}
	}
	return ids, true
}

// parseEdge reads an ID, or "-" or "+" for the first and the last there can be.
func parseEdge(arg []byte, seq uint64) (id streams.ID, ok bool) {
	if len(arg) == 1 && arg[0] == '-' {
		return streams.ID{}, true
	}
	if len(arg) == 1 && arg[0] == '+' {
		return streams.Max, true
	}
	return parseID(arg, seq)
}

// startIDArg reads the first ID of an interval, "(5-1" leaving 5-1 itself out. ok is false where an error was replied.
func startIDArg(arg []byte, r command.Reply) (id streams.ID, ok bool) {
	id, open, ok := intervalArg(arg, 0, r)
	if ok && open {
		if id, ok = id.Next(); !ok {
			r.Error("ERR invalid start ID for the interval")
		}
	}
	return id, ok
}

// endIDArg is startArg for the last ID. One without a sequence takes all of its milliseconds in.
func endIDArg(arg []byte, r command.Reply) (id streams.ID, ok bool) {
	id, open, ok := intervalArg(arg, math.MaxUint64, r)
	if ok && open {
		if id, ok = id.Prev(); !ok {
			r.Error("ERR invalid end ID for the interval")
		}
	}
	return id, ok
}

func intervalArg(arg []byte, seq uint64, r command.Reply) (id streams.ID, open, ok bool) {
	if open = len(arg) > 1 && arg[0] == '('; open {
		id, ok = parseID(arg[1:], seq)
	} else {
		id, ok = parseEdge(arg, seq)
	}
	if !ok {
		r.Error(errStreamID)
	}
	return id, open, ok
}

const streamIDBytesMax = 41 // two of the longest integers and what stands between them

func (tx *Tx) replyID(id streams.ID, r command.Reply) { r.Bulk(id.AppendTo(tx.digits[:0])) }
