package fsm

import (
	"math/big"
	"strings"
)

// INCRBYFLOAT of Redis counts in the x86 "long double": 64 bits of mantissa, 15 of exponent. It is imitated here with
// math/big, correctly rounded, so that every node gets the same digits on any processor.
const (
	longDoublePrec   = 64
	longDoubleExpMax = 16384  // of a mantissa in [0.5, 1)
	longDoubleExpMin = -16445 // the smallest denormal is twice this power
	// longDoubleTextBytesMax is the longest text that is read as a number (Redis: MAX_LONG_DOUBLE_CHARS).
	longDoubleTextBytesMax = 5*1024 - 1
	// floatExponentMax is beyond every exponent that can lead to a number in range, given the longest text.
	floatExponentMax = 1 << 16
)

// floatText is a number taken apart: digits in base 10 or 16, of which point follow the point.
type floatText struct {
	neg    bool
	base   int
	digits string
	point  int
	exp    int // of 10, or of 2 where base is 16; at most floatExponentMax in size
}

// parseLongDouble reads what C's strtold reads, infinities included, spaces and NaN excluded. It is false for text of
// another form and for numbers out of range.
func parseLongDouble(s string) (*big.Float, bool) {
	if len(s) == 0 || len(s) > longDoubleTextBytesMax {
		return nil, false
	}
	t := floatText{base: 10}
	switch s[0] {
	case '-':
		t.neg, s = true, s[1:]
	case '+':
		s = s[1:]
	}
	switch strings.ToLower(s) {
	case "inf", "infinity":
		return new(big.Float).SetInf(t.neg), true
	}
	if !t.scan(s) {
		return nil, false
	}
	return t.value()
}

func (t *floatText) scan(s string) bool {
	mark := byte('e')
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		t.base, s, mark = 16, s[2:], 'p'
	}
	mantissa, s := t.cutMantissa(s)
	if mantissa == "" || mantissa == "." {
		return false
	}
	if i := strings.IndexByte(mantissa, '.'); i >= 0 {
		t.point = len(mantissa) - i - 1
		mantissa = mantissa[:i] + mantissa[i+1:]
	}
	t.digits = mantissa
	if s == "" {
		return true
	}
	return s[0]|0x20 == mark && t.scanExponent(s[1:])
}

// cutMantissa splits digits with at most one point off s.
func (t *floatText) cutMantissa(s string) (mantissa, rest string) {
	point := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case '0' <= c && c <= '9':
		case t.base == 16 && 'a' <= c|0x20 && c|0x20 <= 'f':
		case c == '.' && !point:
			point = true
		default:
			return s[:i], s[i:]
		}
	}
	return s, ""
}

func (t *floatText) scanExponent(s string) bool {
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg, s = s[0] == '-', s[1:]
	}
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		t.exp = min(t.exp*10+int(s[i]-'0'), floatExponentMax)
	}
	if neg {
		t.exp = -t.exp
	}
	return true
}

func (t *floatText) value() (*big.Float, bool) {
	n, ok := new(big.Int).SetString(t.digits, t.base)
	if !ok {
		return nil, false
	}
	f := new(big.Float).SetPrec(longDoublePrec)
	if n.Sign() == 0 {
		return f, true
	}
	if t.base == 16 {
		f.SetInt(n)
		f.SetMantExp(f, t.exp-4*t.point)
	} else if !t.decimal(f, n) {
		return nil, false
	}
	if t.neg {
		f.Neg(f)
	}
	return f, inLongDoubleRange(f)
}

// decimal sets f to n * 10^(exp-point), rounded once. It is false for what is far out of range, so that an exponent
// makes no work.
func (t *floatText) decimal(f *big.Float, n *big.Int) bool {
	exp := t.exp - t.point
	size := len(strings.TrimLeft(t.digits, "0")) + exp
	if size > 5000 || size < -5000 {
		return false
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exp, -exp))), nil)
	if exp >= 0 {
		f.SetInt(n.Mul(n, power))
	} else {
		f.SetRat(new(big.Rat).SetFrac(n, power))
	}
	return true
}

// inLongDoubleRange reports whether a long double holds a number other than zero.
func inLongDoubleRange(f *big.Float) bool {
	exp := f.MantExp(nil)
	return exp <= longDoubleExpMax && (exp > longDoubleExpMin || exp == longDoubleExpMin && f.MinPrec() > 1)
}

// addLongDouble is a+b; false where it is no number that Redis could store.
func addLongDouble(a, b *big.Float) (*big.Float, bool) {
	if a.IsInf() || b.IsInf() {
		return nil, false
	}
	sum := new(big.Float).SetPrec(longDoublePrec).Add(a, b)
	return sum, sum.MantExp(nil) <= longDoubleExpMax
}

// formatLongDouble prints with 17 digits after the point, less the zeros at the end.
func formatLongDouble(f *big.Float) string {
	s := strings.TrimRight(strings.TrimRight(f.Text('f', 17), "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return s
}
