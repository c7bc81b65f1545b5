package fsm

import (
	"fmt"
	"math"

	"github.com/zeebo/xxh3"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// Strings under conditions, of Redis 8.4: of the string group.
var stringIfCommands = []cmd{
	{command.Spec{
		Name: "digest", Arity: 2, Flags: command.ReadOnly | command.Fast, Group: "string", Since: "8.4.0",
		Keys:    oneKey(command.RO | command.Access),
		Summary: "Returns a digest of the string value of a key.", Complexity: "O(N) for N bytes",
	}, digest},
	{command.Spec{
		Name: "delex", Arity: -2, Flags: command.Write | command.Fast, Group: "string", Since: "8.4.0",
		Keys:    oneKey(command.RW | command.Delete),
		Summary: "Removes a key if its string value is, or is not, what is expected.", Complexity: "O(N) for N bytes of the value",
	}, delex},
	{command.Spec{
		Name: "msetex", Arity: -4, Flags: command.Write | command.DenyOOM | command.MovableKeys, Group: "string", Since: "8.4.0",
		Keys:    []command.KeySpec{{Flags: command.OW | command.Update, Index: 1, KeyNum: true, FirstKey: 1, Step: 2}},
		Tips:    []string{"request_policy:multi_shard", "response_policy:all_succeeded"},
		Summary: "Sets the string values of several keys at once, and their time to live.", Complexity: "O(N) for N keys",
	}, msetex},
}

// ifHow says what a condition asks of a value.
type ifHow uint8

const (
	ifAny ifHow = iota
	ifEqual
	ifNotEqual
	ifDigest
	ifNotDigest
)

var ifWords = []string{ifEqual: "ifeq", ifNotEqual: "ifne", ifDigest: "ifdeq", ifNotDigest: "ifdne"}

// valueCondition is one of the options IFEQ, IFNE, IFDEQ and IFDNE.
type valueCondition struct {
	how ifHow
	arg []byte
}

func ifOption(arg []byte) ifHow {
	for i, name := range ifWords {
		if name != "" && word(arg, name) {
			return ifHow(i)
		}
	}
	return ifAny
}

// negative: a key that is not there is as the condition wants it, where a command may create one.
func (o valueCondition) negative() bool { return o.how == ifNotEqual || o.how == ifNotDigest }

const digestDigits = 16

// hold reports whether a string is as the condition wants it. ok is false where an error was replied.
func (o valueCondition) hold(v value, r command.Reply) (holds, ok bool) {
	switch o.how {
	case ifEqual, ifNotEqual:
		return (v.Len() == len(o.arg) && v.Text() == string(o.arg)) != o.negative(), true
	case ifDigest, ifNotDigest:
		// Redis looks at the length alone: what has other characters in it is no string's digest.
		if len(o.arg) != digestDigits {
			r.Error("ERR digest must be exactly 16 hexadecimal characters")
			return false, false
		}
		return word(o.arg, v.digest()) != o.negative(), true
	}
	return true, true
}

// digest is the XXH3 of a string, 64 bits in hexadecimal digits.
func (v value) digest() string {
	var sum uint64
	if b, ok := v.obj.(*blob); ok {
		h := xxh3.New()
		b.each(0, b.n, func(piece []byte) { _, _ = h.Write(piece) })
		sum = h.Sum64()
	} else {
		s, _ := v.flat()
		sum = xxh3.HashString(s)
	}
	return fmt.Sprintf("%0*x", digestDigits, sum)
}

func digest(tx *Tx, c *command.Call, r command.Reply) {
	it, ok := tx.lookupString(c.Args[1], r)
	switch {
	case !ok:
	case it == nil:
		r.Null()
	default:
		r.BulkString(it.value().digest())
	}
}

func delex(tx *Tx, c *command.Call, r command.Reply) {
	if len(c.Args) != 2 && len(c.Args) != 4 {
		r.Error(command.ErrWrongArgs(c.Spec))
		return
	}
	it := tx.lookup(c.Args[1])
	if it == nil {
		r.Int(0)
		return
	}
	if len(c.Args) == 4 {
		o := valueCondition{ifOption(c.Args[2]), c.Args[3]}
		switch {
		case it.kind() != kindString:
			r.Error("ERR Key should be of string type if conditions are specified")
			return
		case o.how == ifAny:
			r.Error("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")
			return
		}
		if holds, ok := o.hold(it.value(), r); !holds {
			if ok {
				r.Int(0)
			}
			return
		}
	}
	tx.remove(c.Args[1], it)
	r.Int(1)
}

func msetex(tx *Tx, c *command.Call, r command.Reply) {
	n, ok := parseInt(c.Args[1])
	if !ok || n < 1 || n > math.MaxInt32 {
		r.Error("ERR invalid numkeys value")
		return
	}
	if 2*n > int64(len(c.Args)-2) {
		r.Error("ERR wrong number of key-value pairs")
		return
	}
	pairs := c.Args[2 : 2+2*n]
	o, ok := parseSetOptions(c.Args[2+2*n:], false)
	if !ok || o.get || o.when.how != ifAny {
		r.Error(command.ErrSyntax)
		return
	}
	at, ok := o.expiry.deadline(tx, c, r)
	if !ok {
		return
	}
	for i := 0; i < len(pairs) && (o.nx || o.xx); i += 2 {
		if there := tx.lookup(pairs[i]) != nil; there != o.xx {
			r.Int(0)
			return
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		ends := at
		if o.how == ttlKeep {
			if it := tx.lookup(pairs[i]); it != nil {
				ends = it.expireAt()
			}
		}
		tx.setString(pairs[i], stringValue(pairs[i+1]), ends, at != 0)
	}
	r.Int(1)
}
