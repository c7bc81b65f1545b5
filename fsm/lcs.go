package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/command"
)

// lcsCellsMax bounds the work of LCS: the product of the lengths. Redis draws the line where its table, of 4 bytes a
// cell, would exceed proto-max-bulk-len.
const lcsCellsMax = StringBytesMax / 4

type lcsOptions struct {
	length, index, withLength bool
	minLength                 int64
}

func parseLCS(args [][]byte, r command.Reply) (o lcsOptions, ok bool) {
	for i := 0; i < len(args); i++ {
		switch opt := args[i]; {
		case word(opt, "idx"):
			o.index = true
		case word(opt, "len"):
			o.length = true
		case word(opt, "withmatchlen"):
			o.withLength = true
		case word(opt, "minmatchlen") && i+1 < len(args):
			n, ok := intArg(args[i+1], r)
			if !ok {
				return o, false
			}
			o.minLength = max(0, n)
			i++
		default:
			r.Error(command.ErrSyntax)
			return o, false
		}
	}
	if o.length && o.index {
		r.Error("ERR If you want both the length and indexes, please just use IDX.")
		return o, false
	}
	return o, true
}

// lcs is LCS: the longest common subsequence of two strings.
func lcs(tx *Tx, c *command.Call, r command.Reply) {
	a, b := tx.lookup(c.Args[1]), tx.lookup(c.Args[2])
	if (a != nil && a.kind() != kindString) || (b != nil && b.kind() != kindString) {
		r.Error("ERR The specified keys must contain string values")
		return
	}
	o, ok := parseLCS(c.Args[3:], r)
	if !ok {
		return
	}
	var va, vb value
	if a != nil {
		va = a.value()
	}
	if b != nil {
		vb = b.value()
	}
	// Asked before the strings are put together: each may have hundreds of megabytes, and readers run side by side.
	if uint64(va.Len()+1)*uint64(vb.Len()+1) > lcsCellsMax {
		r.Error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
		return
	}
	t := newLCSTable(va.Text(), vb.Text())
	switch {
	case o.length:
		r.Int(int64(t.length))
	case o.index:
		t.replyMatches(o, r)
	default:
		t.replySubsequence(r)
	}
}

// lcsTable is what the walk back through the table of lengths needs: a bit for each pair of prefixes, set where the
// longer subsequence is without the last byte of a. It takes a thirty-second part of the lengths themselves.
type lcsTable struct {
	a, b   string
	dropA  []uint64
	length int
}

func newLCSTable(a, b string) *lcsTable {
	t := &lcsTable{a: a, b: b, dropA: make([]uint64, (len(a)*len(b)+63)/64)}
	above, row := make([]uint32, len(b)+1), make([]uint32, len(b)+1)
	for i := range len(a) {
		for j := range len(b) {
			switch {
			case a[i] == b[j]:
				row[j+1] = above[j] + 1
			case above[j+1] > row[j]:
				row[j+1] = above[j+1]
				bit := i*len(b) + j
				t.dropA[bit/64] |= 1 << (bit % 64)
			default:
				row[j+1] = row[j]
			}
		}
		above, row = row, above
	}
	t.length = int(above[len(b)])
	return t
}

// walk goes back from the ends of both strings and calls f with each run of bytes that the strings share, the last
// first: a[i:i+n] is b[j:j+n].
func (t *lcsTable) walk(f func(i, j, n int)) {
	i, j, n := len(t.a), len(t.b), 0
	for i > 0 && j > 0 {
		if t.a[i-1] == t.b[j-1] {
			i, j, n = i-1, j-1, n+1
			continue
		}
		if n > 0 {
			f(i, j, n)
			n = 0
		}
		if bit := (i-1)*len(t.b) + j - 1; t.dropA[bit/64]&(1<<(bit%64)) != 0 {
			i--
		} else {
			j--
		}
	}
	if n > 0 {
		f(i, j, n)
	}
}

func (t *lcsTable) replySubsequence(r command.Reply) {
	out := make([]byte, t.length)
	end := t.length
	t.walk(func(i, _, n int) {
		end -= n
		copy(out[end:], t.a[i:i+n])
	})
	r.Bulk(out)
}

func (t *lcsTable) replyMatches(o lcsOptions, r command.Reply) {
	type match struct{ i, j, n int }
	var found []match
	t.walk(func(i, j, n int) {
		if int64(n) >= o.minLength {
			found = append(found, match{i, j, n})
		}
	})
	r.Map(2)
	r.BulkString("matches")
	r.Array(len(found))
	for _, m := range found {
		if o.withLength {
			r.Array(3)
		} else {
			r.Array(2)
		}
		replyRange(m.i, m.n, r)
		replyRange(m.j, m.n, r)
		if o.withLength {
			r.Int(int64(m.n))
		}
	}
	r.BulkString("len")
	r.Int(int64(t.length))
}

func replyRange(from, n int, r command.Reply) {
	r.Array(2)
	r.Int(int64(from))
	r.Int(int64(from + n - 1))
}
