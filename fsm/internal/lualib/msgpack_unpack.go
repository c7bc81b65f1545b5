package lualib

import (
	"encoding/binary"
	"math"

	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

type unpacker struct {
	c    *lua.Call
	rest string
}

const (
	errMissingBytes = "Missing bytes in input."
	errBadData      = "Bad data format in input."
	// unpackDepthMax bounds the recursion; Redis has no bound but its stack.
	unpackDepthMax = 1000
)

// msgpackUnpack returns up to limit values (0: all) that begin at offset, and before them, where there is a limit, where
// the next one begins, -1 at the end.
func msgpackUnpack(c *lua.Call, limit, offset int) {
	s := c.String(0)
	switch {
	case offset < 0 || limit < 0:
		c.Errorf("Invalid request to unpack with offset of %d and limit of %d.", offset, len(s))
	case offset > len(s):
		c.Errorf("Start offset %d greater than input length %d.", offset, len(s))
	}
	u := &unpacker{c, s[offset:]}
	var out []lua.Value
	for n := 0; u.rest != "" && (limit == 0 || n < limit); n++ {
		c.State().Charge(24)
		out = append(out, u.value(0))
	}
	if limit > 0 {
		next := len(s) - len(u.rest)
		if u.rest == "" {
			next = -1
		}
		c.Push(lua.Int(next))
	}
	c.Push(out...)
}

func (u *unpacker) take(n int) string {
	if n > len(u.rest) {
		u.c.Errorf(errMissingBytes)
	}
	s := u.rest[:n]
	u.rest = u.rest[n:]
	return s
}

// uint reads a big endian number of n bytes.
func (u *unpacker) uint(n int) uint64 {
	var b [8]byte
	copy(b[8-n:], u.take(n))
	return binary.BigEndian.Uint64(b[:])
}

func (u *unpacker) value(depth int) lua.Value {
	u.c.State().Spend(2)
	tag := byte(u.uint(1))
	switch {
	case tag < 0x80:
		return lua.Int(int(tag))
	case tag < 0x90:
		return u.table(int(tag&15), depth)
	case tag < 0xa0:
		return u.list(int(tag&15), depth)
	case tag < 0xc0:
		return u.string(int(tag & 31))
	case tag >= 0xe0:
		return lua.Int(int(int8(tag)))
	}
	return u.tagged(tag, depth)
}

func (u *unpacker) tagged(tag byte, depth int) lua.Value {
	switch tag {
	case 0xc0:
		return lua.Nil
	case 0xc2, 0xc3:
		return lua.Bool(tag == 0xc3)
	case 0xca:
		return lua.Number(float64(math.Float32frombits(uint32(u.uint(4)))))
	case 0xcb:
		return lua.Number(math.Float64frombits(u.uint(8)))
	case 0xcc, 0xcd, 0xce, 0xcf:
		return lua.Number(float64(u.uint(1 << (tag - 0xcc))))
	case 0xd0:
		return lua.Number(float64(int8(u.uint(1))))
	case 0xd1:
		return lua.Number(float64(int16(u.uint(2))))
	case 0xd2:
		return lua.Number(float64(int32(u.uint(4))))
	case 0xd3:
		return lua.Number(float64(int64(u.uint(8))))
	case 0xd9, 0xda, 0xdb:
		return u.string(int(u.uint(1 << (tag - 0xd9))))
	case 0xdc, 0xdd:
		return u.list(int(u.uint(2<<(tag-0xdc))), depth)
	case 0xde, 0xdf:
		return u.table(int(u.uint(2<<(tag-0xde))), depth)
	}
	u.c.Errorf(errBadData)
	return lua.Nil
}

func (u *unpacker) string(n int) lua.Value { return u.c.State().NewString(u.take(n)) }

func (u *unpacker) down(depth int) *lua.Table {
	if depth == unpackDepthMax {
		u.c.Errorf(errBadData)
	}
	return u.c.State().NewTable()
}

// list reads elements until they end; the count sizes nothing.
func (u *unpacker) list(n, depth int) lua.Value {
	t := u.down(depth)
	for i := 1; i <= n; i++ {
		u.c.State().Put(t, lua.Int(i), u.value(depth+1))
	}
	return lua.TableValue(t)
}

func (u *unpacker) table(n, depth int) lua.Value {
	t := u.down(depth)
	for range n {
		k := u.value(depth + 1)
		v := u.value(depth + 1)
		if f, ok := k.Num(); k.IsNil() || ok && math.IsNaN(f) {
			u.c.Throw(lua.String("table index is nil"))
		}
		u.c.State().Put(t, k, v)
	}
	return lua.TableValue(t)
}
