package command

// Reply is where an executor writes its answer, once and in place. RESP2, RESP3 and (on followers, where nobody waits)
// nothing implement it. An executor writes exactly one reply: a scalar, or a header (Array, Map, Set, Push) followed by
// as many replies as it announces. A Reply is owned by one goroutine at a time.
type Reply interface {
	// Simple is a status without spaces to escape, "+OK".
	Simple(s string)
	// Error takes the code and the text without the leading minus, "ERR syntax error". CR and LF are replaced by spaces.
	Error(text string)
	Int(n int64)
	// Bulk copies b.
	Bulk(b []byte)
	BulkString(s string)
	// Null is the null bulk in RESP2 ($-1) and the null in RESP3 (_).
	Null()
	// NullArray is the null array in RESP2 (*-1) and the null in RESP3 (_).
	NullArray()
	Array(n int)
	// Map announces n pairs: 2n elements in RESP2.
	Map(n int)
	// Pairs announces n pairs, each of which begins with Pair and is two elements: arrays of two in RESP3, and 2n elements
	// of one array in RESP2 (ZRANGE WITHSCORES).
	Pairs(n int)
	Pair()
	// Entries announces n entries, each of which begins with Entry and is a key and its value: a map in RESP3, arrays of
	// two in RESP2 (XREAD).
	Entries(n int)
	Entry()
	// Set announces n members: an array in RESP2.
	Set(n int)
	// Push announces an out of band message of n elements: an array in RESP2.
	Push(n int)
	// Double is a bulk string in RESP2; both print 17 significant digits as Redis 7.0 does.
	Double(f float64)
	// Decimal is a double whose digits are the caller's (GEOPOS prints 17 behind the point). It is a bulk string in RESP2.
	Decimal(text string)
	// BigNumber is a bulk string in RESP2.
	BigNumber(s string)
	// Bool is 1 or 0 in RESP2.
	Bool(b bool)
	// Verbatim is a bulk string in RESP2; format has three letters ("txt", "mkd").
	Verbatim(format, s string)
	// Deferred leaves a place that the connection fills in itself once the transaction has run: the reply of a
	// connection command (PING, SELECT...) inside MULTI, which the state machine knows nothing of.
	Deferred()
	// BeginCall and EndCall stand around one call's reply, so that failures can be counted by command. Executors leave
	// both, and Retract, to those who run them.
	BeginCall()
	EndCall()
	// Retract takes back all that was written since the last BeginCall: the reply, whole or in part, of an executor
	// that has failed. An error can then stand in its place, also as an element of a transaction's reply.
	Retract()
}

// Discard is the Reply of a follower: it drops everything.
var Discard Reply = discard{}

type discard struct{}

func (discard) Simple(string)           {}
func (discard) Error(string)            {}
func (discard) Int(int64)               {}
func (discard) Bulk([]byte)             {}
func (discard) BulkString(string)       {}
func (discard) Null()                   {}
func (discard) NullArray()              {}
func (discard) Array(int)               {}
func (discard) Map(int)                 {}
func (discard) Pairs(int)               {}
func (discard) Pair()                   {}
func (discard) Entries(int)             {}
func (discard) Entry()                  {}
func (discard) Set(int)                 {}
func (discard) Push(int)                {}
func (discard) Double(float64)          {}
func (discard) Decimal(string)          {}
func (discard) BigNumber(string)        {}
func (discard) Bool(bool)               {}
func (discard) Verbatim(string, string) {}
func (discard) Deferred()               {}
func (discard) BeginCall()              {}
func (discard) EndCall()                {}
func (discard) Retract()                {}
