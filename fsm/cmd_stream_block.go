package fsm

import (
	"slices"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// How XREAD and XREADGROUP wait for entries. XREAD takes nothing and waits on its node alone (ViewBlocking); XREADGROUP moves
// its group on and waits in the log.

const (
	errStreamGone = "UNBLOCKED the stream key no longer exists"
	errGroupGone  = "NOGROUP the consumer group this client was blocked on no longer exists"
)

// blockOption finds BLOCK's milliseconds among the options (command.Spec.Timeout).
func blockOption(args [][]byte) (millis int64, ok bool) {
	for i := 1; i < len(args) && !word(args[i], "streams"); i++ {
		switch {
		case word(args[i], "group"):
			i += 2
		case word(args[i], "count"):
			i++
		case word(args[i], "block") && i+1 < len(args):
			i++
			millis, ok = parseInt(args[i])
			ok = ok && millis >= 0
		}
	}
	return millis, ok
}

// settle replaces "$" in the arguments by what it means now: what the call waits for follows from when it came.
func (o *readOptions) settle(tx *Tx) {
	for i, id := range o.ids {
		if string(id) != "$" {
			continue
		}
		it := tx.peek(o.keys[i])
		if it == nil {
			o.ids[i] = []byte("0-0")
			continue
		}
		o.ids[i] = it.value().obj.(*stream).last.AppendTo(nil)
	}
}

// againGroup is XREADGROUP for one that waits, when one of its keys was changed.
func (tx *Tx) againGroup(c *command.Call, o *readOptions, r command.Reply) {
	i := slices.IndexFunc(o.keys, func(key []byte) bool { return string(key) == tx.ready })
	it := tx.peek(o.keys[i])
	switch {
	case it == nil || it.kind() != kindStream:
		r.Error(errStreamGone)
		return
	case it.value().obj.(*stream).group(o.group) == nil:
		r.Error(errGroupGone)
		return
	}
	read := groupRead{key: o.keys[i], fresh: true}
	if tx.serve(o, &read); !read.served {
		tx.wait(c, o.keys, r, r.NullArray)
		return
	}
	r.Entries(1)
	r.Entry()
	r.Bulk(read.key)
	tx.replyGroupRead(&read, r)
}
