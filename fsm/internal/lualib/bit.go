package lualib

import (
	"math"
	"math/bits"

	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

func openBit(l *lua.Library) {
	l.Set("bit", lua.TableValue(lua.Funcs("bit", map[string]func(c *lua.Call){
		"tobit":   func(c *lua.Call) { pushBits(c, bitsOf(c, 0)) },
		"bnot":    func(c *lua.Call) { pushBits(c, ^bitsOf(c, 0)) },
		"band":    func(c *lua.Call) { fold(c, func(a, b uint32) uint32 { return a & b }) },
		"bor":     func(c *lua.Call) { fold(c, func(a, b uint32) uint32 { return a | b }) },
		"bxor":    func(c *lua.Call) { fold(c, func(a, b uint32) uint32 { return a ^ b }) },
		"lshift":  func(c *lua.Call) { shift(c, func(a uint32, n int) uint32 { return a << n }) },
		"rshift":  func(c *lua.Call) { shift(c, func(a uint32, n int) uint32 { return a >> n }) },
		"arshift": func(c *lua.Call) { shift(c, func(a uint32, n int) uint32 { return uint32(int32(a) >> n) }) },
		"rol":     func(c *lua.Call) { shift(c, bits.RotateLeft32) },
		"ror":     func(c *lua.Call) { shift(c, func(a uint32, n int) uint32 { return bits.RotateLeft32(a, -n) }) },
		"bswap":   func(c *lua.Call) { pushBits(c, bits.ReverseBytes32(bitsOf(c, 0))) },
		"tohex":   toHex,
	})))
}

// roundingBias moves a number's integer bits to the end of its mantissa, rounded to the nearest.
const roundingBias = 1<<52 + 1<<51

// bitsOf takes the low 32 bits of a number. Beyond 51 bits they are what rounding leaves, as in LuaBitOp.
func bitsOf(c *lua.Call, i int) uint32 { return uint32(math.Float64bits(c.Number(i) + roundingBias)) }

func pushBits(c *lua.Call, b uint32) { c.Push(lua.Number(float64(int32(b)))) }

func fold(c *lua.Call, f func(a, b uint32) uint32) {
	out := bitsOf(c, 0)
	for i := 1; i < c.NArgs(); i++ {
		out = f(out, bitsOf(c, i))
	}
	pushBits(c, out)
}

func shift(c *lua.Call, f func(a uint32, n int) uint32) {
	a := bitsOf(c, 0)
	pushBits(c, f(a, int(bitsOf(c, 1)&31)))
}

// toHex prints n digits, in capitals where n is negative.
func toHex(c *lua.Call) {
	b := bitsOf(c, 0)
	n, digits := int32(8), "0123456789abcdef"
	if c.NArgs() > 1 {
		n = int32(bitsOf(c, 1))
	}
	if n < 0 {
		n, digits = -n, "0123456789ABCDEF"
	}
	if n > 8 || n < 0 {
		n = 8
	}
	out := make([]byte, n)
	for i := int(n) - 1; i >= 0; i-- {
		out[i] = digits[b&15]
		b >>= 4
	}
	c.PushString(string(out))
}
