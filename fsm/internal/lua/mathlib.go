package lua

import "math"

func (l *Library) openMath() {
	t := Funcs("math", map[string]func(c *Call){
		"max": mathMax, "min": mathMin, "modf": mathModf, "frexp": mathFrexp, "random": mathRandom,
		"randomseed": func(c *Call) { c.st.random = seed48(uint32(int32(c.Int(0)))) },
		"ldexp":      func(c *Call) { c.Push(Number(math.Ldexp(c.Number(0), c.Int(1)))) },
		"atan2":      func(c *Call) { c.Push(Number(math.Atan2(c.Number(0), c.Number(1)))) },
		"fmod":       mathFmod, "mod": mathFmod,
		"pow": func(c *Call) { c.Push(Number(power(c.Number(0), c.Number(1)))) },
	})
	for _, f := range []struct {
		name string
		f    func(float64) float64
	}{
		{"abs", math.Abs}, {"acos", math.Acos}, {"asin", math.Asin}, {"atan", math.Atan}, {"ceil", math.Ceil},
		{"cos", math.Cos}, {"cosh", math.Cosh}, {"exp", math.Exp}, {"floor", math.Floor}, {"log", math.Log},
		{"log10", math.Log10}, {"sin", math.Sin}, {"sinh", math.Sinh}, {"sqrt", math.Sqrt}, {"tan", math.Tan},
		{"tanh", math.Tanh},
		{"deg", func(x float64) float64 { return x / (math.Pi / 180) }},
		{"rad", func(x float64) float64 { return x * (math.Pi / 180) }},
	} {
		g := f.f
		t.SetStr(f.name, FunctionValue(NewBuiltin("math."+f.name, func(c *Call) { c.Push(Number(g(c.Number(0)))) })))
	}
	t.SetStr("pi", Number(math.Pi))
	t.SetStr("huge", Number(math.Inf(1)))
	l.Set("math", TableValue(t))
}

func mathFmod(c *Call) { c.Push(Number(math.Mod(c.Number(0), c.Number(1)))) }

func mathMax(c *Call) {
	n := c.Number(0)
	for i := 1; i < c.NArgs(); i++ {
		if m := c.Number(i); m > n {
			n = m
		}
	}
	c.Push(Number(n))
}

func mathMin(c *Call) {
	n := c.Number(0)
	for i := 1; i < c.NArgs(); i++ {
		if m := c.Number(i); m < n {
			n = m
		}
	}
	c.Push(Number(n))
}

func mathModf(c *Call) {
	n := c.Number(0)
	if math.IsInf(n, 0) {
		c.Push(Number(n), Number(math.Copysign(0, n)))
		return
	}
	whole := math.Trunc(n)
	c.Push(Number(whole), Number(n-whole))
}

func mathFrexp(c *Call) {
	f, e := math.Frexp(c.Number(0))
	c.Push(Number(f), Int(e))
}

// The generator is POSIX's lrand48, which Redis has, too: a program that sets a seed gets the same numbers here.
const (
	randomFactor = 0x5DEECE66D
	randomAdd    = 0xB
	randomMask   = 1<<48 - 1
	randomMax    = 1<<31 - 1
)

func seed48(n uint32) uint64 { return uint64(n)<<16 | 0x330E }

func (st *State) rand() float64 {
	st.random = (st.random*randomFactor + randomAdd) & randomMask
	return float64((st.random>>17)%randomMax) / randomMax
}

func mathRandom(c *Call) {
	r := c.st.rand()
	switch c.NArgs() {
	case 0:
		c.Push(Number(r))
	case 1:
		n := float64(c.Int(0))
		if n < 1 {
			c.ArgError(0, "interval is empty")
		}
		c.Push(Number(math.Floor(r*n) + 1))
	case 2:
		lo, hi := float64(c.Int(0)), float64(c.Int(1))
		if lo > hi {
			c.ArgError(1, "interval is empty")
		}
		c.Push(Number(math.Floor(float64(r*(hi-lo+1))) + lo))
	default:
		c.Errorf("wrong number of arguments")
	}
}
