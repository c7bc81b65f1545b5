package lualib

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

func openStruct(l *lua.Library) {
	l.Set("struct", lua.TableValue(lua.Funcs("struct", map[string]func(c *lua.Call){
		"pack": structPack, "unpack": structUnpack, "size": structSize,
	})))
}

// integerBytesMax is the widest integer that a format may ask for.
const integerBytesMax = 32

// layout reads a format: endianness and alignment change on the way.
type layout struct {
	c      *lua.Call
	format string
	big    bool
	align  int
}

// item is one option: its size, and what stands before it to align it.
type item struct {
	option byte
	size   int
	before int
}

func newLayout(c *lua.Call) *layout { return &layout{c: c, format: c.String(0), align: 1} }

func (l *layout) number(def int) int {
	n, digits := 0, 0
	for ; digits < len(l.format) && '0' <= l.format[digits] && l.format[digits] <= '9'; digits++ {
		if n > math.MaxInt32/10-10 {
			l.c.Errorf("integral size overflow")
		}
		n = n*10 + int(l.format[digits]-'0')
	}
	l.format = l.format[digits:]
	if digits == 0 {
		return def
	}
	return n
}

// next returns the next option, for a place of the data. ok is false at the end.
func (l *layout) next(at int) (it item, ok bool) {
	if l.format == "" {
		return it, false
	}
	l.c.State().Spend(2)
	it.option = l.format[0]
	l.format = l.format[1:]
	switch it.option {
	case 'B', 'b', 'x':
		it.size = 1
	case 'H', 'h':
		it.size = 2
	case 'L', 'l', 'T', 'd':
		it.size = 8
	case 'f':
		it.size = 4
	case 'I', 'i':
		if it.size = l.number(4); it.size > integerBytesMax {
			l.c.Errorf("integral size %d is larger than limit of %d", it.size, integerBytesMax)
		}
	case 'c':
		it.size = l.number(1)
	}
	it.before = l.padding(it, at)
	return it, true
}

// padding aligns numbers to their size, as far as ! asks for it.
func (l *layout) padding(it item, at int) int {
	if it.size == 0 || it.option == 'c' || it.option == 'x' {
		return 0
	}
	align := min(it.size, l.align)
	if align <= 1 {
		return 0
	}
	return (align - at&(align-1)) & (align - 1)
}

// control obeys an option that is no data.
func (l *layout) control(option byte) {
	switch option {
	case '<', '=':
		l.big = false
	case '>':
		l.big = true
	case '!':
		if l.align = l.number(8); l.align < 1 || l.align&(l.align-1) != 0 {
			l.c.Errorf("alignment %d is not a power of 2", l.align)
		}
	case ' ':
	default:
		l.c.ArgError(0, "invalid format option '"+string([]byte{option})+"'")
	}
}

func structPack(c *lua.Call) {
	l := newLayout(c)
	var buf []byte
	arg := 1
	for it, ok := l.next(0); ok; it, ok = l.next(len(buf)) {
		buf = append(buf, make([]byte, it.before)...)
		switch it.option {
		case 'b', 'B', 'h', 'H', 'l', 'L', 'T', 'i', 'I':
			buf = l.appendInt(buf, l.given(arg, "number").Number(arg), it.size)
			arg++
		case 'f', 'd':
			buf = l.appendFloat(buf, l.given(arg, "number").Number(arg), it.size)
			arg++
		case 'x':
			buf = append(buf, 0)
		case 'c', 's':
			s := l.given(arg, "string").String(arg)
			arg++
			if it.option == 's' || it.size == 0 {
				it.size = len(s)
			}
			if len(s) < it.size {
				c.ArgError(arg, "string too short")
			}
			c.State().Room(len(buf) + it.size)
			buf = append(buf, s[:it.size]...)
			if it.option == 's' {
				buf = append(buf, 0)
			}
		default:
			l.control(it.option)
		}
		c.State().Room(len(buf))
	}
	c.PushString(string(buf))
}

// given reports an argument that is missing; Redis's struct takes the place behind the last for a nil.
func (l *layout) given(arg int, want string) *lua.Call {
	if arg >= l.c.NArgs() {
		l.c.ArgError(arg, want+" expected, got nil")
	}
	return l.c
}

func (l *layout) appendInt(dst []byte, f float64, size int) []byte {
	n := uint64(toInt64(f))
	at := len(dst)
	dst = append(dst, make([]byte, size)...)
	for i := range size {
		place := at + i
		if l.big {
			place = at + size - 1 - i
		}
		dst[place] = byte(n)
		n >>= 8
	}
	return dst
}

// toInt64 converts within 64 bits, unsigned ones included.
func toInt64(f float64) int64 {
	switch {
	case f != f:
		return math.MinInt64
	case f >= 1<<63 && f < 1<<64:
		return int64(uint64(f))
	case f >= 1<<64 || f < -1<<63:
		return math.MinInt64
	}
	return int64(f)
}

func (l *layout) appendFloat(dst []byte, f float64, size int) []byte {
	if f != f {
		f = nan
	}
	order := binary.AppendByteOrder(binary.LittleEndian)
	if l.big {
		order = binary.BigEndian
	}
	if size == 4 {
		return order.AppendUint32(dst, math.Float32bits(float32(f)))
	}
	return order.AppendUint64(dst, math.Float64bits(f))
}

func structSize(c *lua.Call) {
	l := newLayout(c)
	at := 0
	for it, ok := l.next(0); ok; it, ok = l.next(at) {
		switch {
		case it.option == 's':
			c.ArgError(0, "option 's' has no fixed size")
		case it.option == 'c' && it.size == 0:
			c.ArgError(0, "option 'c0' has no fixed size")
		case it.size == 0 && (it.option|0x20 < 'a' || it.option|0x20 > 'z'):
			l.control(it.option)
		}
		if at += it.before + it.size; at > math.MaxInt32 {
			c.Errorf("format result too large")
		}
	}
	c.Push(lua.Int(at))
}

func structUnpack(c *lua.Call) {
	l := newLayout(c)
	data := c.String(1)
	at := c.OptInt(2, 1) - 1
	if at < 0 {
		c.ArgError(2, "offset must be 1 or greater")
	}
	n := 0
	for it, ok := l.next(at); ok; it, ok = l.next(at) {
		at += it.before
		if at > len(data) || it.size > len(data)-at {
			c.ArgError(1, "data string too short")
		}
		switch it.option {
		case 'b', 'B', 'h', 'H', 'l', 'L', 'T', 'i', 'I':
			signed := it.option == 'b' || it.option == 'h' || it.option == 'l' || it.option == 'i'
			c.Push(l.readInt(data[at:at+it.size], signed))
			n++
		case 'f', 'd':
			c.Push(l.readFloat(data[at : at+it.size]))
			n++
		case 'c':
			if it.size == 0 {
				it.size = l.lastSize(n)
				c.Drop(1)
				n--
				if it.size > len(data)-at {
					c.ArgError(1, "data string too short")
				}
			}
			c.PushString(data[at : at+it.size])
			n++
		case 's':
			end := strings.IndexByte(data[at:], 0)
			if end < 0 {
				c.Errorf("unfinished string in data")
			}
			c.PushString(data[at : at+end])
			it.size = end + 1
			n++
		default:
			l.control(it.option)
		}
		at += it.size
	}
	c.Push(lua.Int(at + 1))
}

// lastSize is the number read last: c0 takes its size from there.
func (l *layout) lastSize(n int) int {
	if n == 0 {
		l.c.Errorf("format 'c0' needs a previous size")
	}
	f, ok := l.c.Last().Num()
	if !ok || f < 0 || f > math.MaxInt32 {
		l.c.Errorf("format 'c0' needs a previous size")
	}
	return int(f)
}

func (l *layout) readInt(s string, signed bool) lua.Value {
	n := uint64(0)
	for i := range len(s) {
		c := s[len(s)-1-i]
		if l.big {
			c = s[i]
		}
		n = n<<8 | uint64(c)
	}
	if !signed {
		return lua.Number(float64(n))
	}
	if bits := 64 - 8*len(s); bits > 0 {
		return lua.Number(float64(int64(n<<bits) >> bits))
	}
	return lua.Number(float64(int64(n)))
}

func (l *layout) readFloat(s string) lua.Value {
	order := binary.ByteOrder(binary.LittleEndian)
	if l.big {
		order = binary.BigEndian
	}
	if len(s) == 4 {
		return lua.Number(float64(math.Float32frombits(order.Uint32([]byte(s)))))
	}
	return lua.Number(math.Float64frombits(order.Uint64([]byte(s))))
}
