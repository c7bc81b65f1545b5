package lualib

import (
	"encoding/binary"
	"math"

	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

func openMsgpack(l *lua.Library) {
	t := lua.Funcs("cmsgpack", map[string]func(c *lua.Call){
		"pack":   msgpackPack,
		"unpack": func(c *lua.Call) { msgpackUnpack(c, 0, 0) },
		"unpack_one": func(c *lua.Call) {
			msgpackUnpack(c, 1, c.OptInt(1, 0))
		},
		"unpack_limit": func(c *lua.Call) {
			msgpackUnpack(c, c.Int(1), c.OptInt(2, 0))
		},
	})
	t.SetStr("_NAME", lua.String("cmsgpack"))
	t.SetStr("_VERSION", lua.String("lua-cmsgpack 0.4.0"))
	t.SetStr("_COPYRIGHT", lua.String("see cmsgpack"))
	t.SetStr("_DESCRIPTION", lua.String("MessagePack for scripts"))
	l.Set("cmsgpack", lua.TableValue(t))
}

// nestingMax is how deep tables are packed; what lies deeper becomes nil.
const nestingMax = 16

// nan is the one NaN that is written: its bits depend on the processor.
var nan = math.Float64frombits(0xfff8000000000000)

type packer struct {
	c   *lua.Call
	buf []byte
}

func msgpackPack(c *lua.Call) {
	if c.NArgs() == 0 {
		c.ArgError(-1, "MessagePack pack needs input.")
	}
	p := &packer{c: c}
	for i := range c.NArgs() {
		p.value(c.Arg(i), 0)
	}
	c.PushString(string(p.buf))
}

func (p *packer) value(v lua.Value, depth int) {
	p.c.State().Spend(2)
	p.c.State().Room(len(p.buf))
	switch v.Type() {
	case "string":
		s, _ := v.Str()
		p.c.State().Room(len(p.buf) + len(s))
		p.c.State().Spend(len(s) / 64)
		p.header(len(s), 0xa0, 32, 0xd9, 0xda, 0xdb)
		p.buf = append(p.buf, s...)
	case "boolean":
		if v.Truth() {
			p.buf = append(p.buf, 0xc3)
		} else {
			p.buf = append(p.buf, 0xc2)
		}
	case "number":
		n, _ := v.Num()
		p.number(n)
	case "table":
		if depth == nestingMax {
			p.buf = append(p.buf, 0xc0)
			return
		}
		p.table(v.Table(), depth+1)
	default:
		p.buf = append(p.buf, 0xc0)
	}
}

// header writes a length: in the tag itself below fix, else in 1 byte (where there is such a tag), 2 or 4.
func (p *packer) header(n int, tag byte, fix int, one, two, four byte) {
	switch {
	case n < fix:
		p.buf = append(p.buf, tag|byte(n))
	case n <= 0xff && one != 0:
		p.buf = append(p.buf, one, byte(n))
	case n <= 0xffff:
		p.buf = binary.BigEndian.AppendUint16(append(p.buf, two), uint16(n))
	default:
		p.buf = binary.BigEndian.AppendUint32(append(p.buf, four), uint32(n))
	}
}

func (p *packer) number(f float64) {
	if f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
		p.integer(int64(f))
		return
	}
	if f != f {
		f = nan
	}
	if single := float32(f); float64(single) == f {
		p.buf = binary.BigEndian.AppendUint32(append(p.buf, 0xca), math.Float32bits(single))
		return
	}
	p.buf = binary.BigEndian.AppendUint64(append(p.buf, 0xcb), math.Float64bits(f))
}

func (p *packer) integer(n int64) {
	switch {
	case n >= 0 && n <= 127, n < 0 && n >= -32:
		p.buf = append(p.buf, byte(n))
	case n >= 0 && n <= 0xff:
		p.buf = append(p.buf, 0xcc, byte(n))
	case n >= 0 && n <= 0xffff:
		p.buf = binary.BigEndian.AppendUint16(append(p.buf, 0xcd), uint16(n))
	case n >= 0 && n <= 0xffffffff:
		p.buf = binary.BigEndian.AppendUint32(append(p.buf, 0xce), uint32(n))
	case n >= 0:
		p.buf = binary.BigEndian.AppendUint64(append(p.buf, 0xcf), uint64(n))
	case n >= math.MinInt8:
		p.buf = append(p.buf, 0xd0, byte(n))
	case n >= math.MinInt16:
		p.buf = binary.BigEndian.AppendUint16(append(p.buf, 0xd1), uint16(n))
	case n >= math.MinInt32:
		p.buf = binary.BigEndian.AppendUint32(append(p.buf, 0xd2), uint32(n))
	default:
		p.buf = binary.BigEndian.AppendUint64(append(p.buf, 0xd3), uint64(n))
	}
}

func (p *packer) table(t *lua.Table, depth int) {
	n, list := 0, true
	most := 0.0
	for k, _, passed, _ := t.Next(lua.Nil); !k.IsNil(); k, _, passed, _ = t.Next(k) {
		p.c.State().Spend(1 + passed/8)
		f, ok := k.Num()
		list = list && ok && f > 0 && f == math.Trunc(f)
		most = max(most, f)
		n++
	}
	if list && most == float64(n) {
		p.header(n, 0x90, 16, 0, 0xdc, 0xdd)
		for i := 1; i <= n; i++ {
			p.value(t.GetInt(i), depth)
		}
		return
	}
	p.header(n, 0x80, 16, 0, 0xde, 0xdf)
	for k, v, _, _ := t.Next(lua.Nil); !k.IsNil(); k, v, _, _ = t.Next(k) {
		p.value(k, depth)
		p.value(v, depth)
	}
}
