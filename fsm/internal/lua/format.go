package lua

import (
	"fmt"
	"math"
	"strings"
)

// stringFormat is C's printf for Lua's values.
func stringFormat(c *Call) {
	f := c.String(0)
	var b strings.Builder
	arg := 0
	for i := 0; i < len(f); i++ {
		if f[i] != '%' {
			b.WriteByte(f[i])
			continue
		}
		if i++; i < len(f) && f[i] == '%' {
			b.WriteByte('%')
			continue
		}
		if arg++; arg >= c.NArgs() {
			c.ArgError(arg, "no value")
		}
		spec, n := formatSpec(c, f[i:])
		if i += n; i >= len(f) {
			c.Errorf("invalid option '%%' to 'format'")
		}
		out := formatOne(c, spec, f[i], arg)
		c.st.Room(b.Len() + len(out))
		c.st.Spend(8 + len(out)/stepBytes)
		b.WriteString(out)
	}
	c.st.Room(b.Len())
	c.PushString(b.String())
}

// formatSpec reads flags, width and precision, two digits each at most.
func formatSpec(c *Call, f string) (spec string, n int) {
	for n < len(f) && strings.IndexByte("-+ #0", f[n]) >= 0 {
		n++
	}
	if n > 5 {
		c.Errorf("invalid format (repeated flags)")
	}
	n += digits(f[n:])
	if n < len(f) && f[n] == '.' {
		n++
		n += digits(f[n:])
	}
	if n < len(f) && isDigit(f[n]) {
		c.Errorf("invalid format (width or precision too long)")
	}
	return f[:n], n
}

func digits(s string) int {
	n := 0
	for n < 2 && n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func formatOne(c *Call, spec string, verb byte, arg int) string {
	switch verb {
	case 'c':
		return pad(spec, string([]byte{byte(toInt(c.Number(arg)))}))
	case 'd', 'i':
		return fmt.Sprintf("%"+spec+"d", wholeNumber(c.Number(arg)))
	case 'u':
		return fmt.Sprintf("%"+strings.Trim(spec, "+ ")+"d", uint64(wholeNumber(c.Number(arg))))
	case 'o', 'x', 'X':
		n := uint64(wholeNumber(c.Number(arg)))
		if n == 0 {
			spec = strings.ReplaceAll(spec, "#", "") // C has no prefix for 0
		}
		return fmt.Sprintf("%"+spec+string(rune(verb)), n)
	case 'e', 'E', 'f', 'g', 'G':
		return formatFloat(spec, verb, c.Number(arg))
	case 'q':
		return quote(c.String(arg))
	case 's':
		s := c.String(arg)
		if !strings.Contains(spec, ".") && len(s) >= 100 {
			return s // longer than any width
		}
		return pad(spec, s)
	}
	c.Errorf("invalid option '%%%c' to 'format'", verb)
	return ""
}

// Integer is what becomes of a number where an integer is needed.
func Integer(n float64) int64 { return wholeNumber(n) }

// wholeNumber converts as a processor does: what does not fit is the least integer.
func wholeNumber(n float64) int64 {
	if n != n || n >= 1<<63 || n < -1<<63 {
		return math.MinInt64
	}
	return int64(n)
}

// pad applies width and precision to bytes: fmt would count characters.
func pad(spec, s string) string {
	left := strings.Contains(spec, "-")
	spec = strings.TrimLeft(spec, "-+ #0")
	width, prec, hasPrec := strings.Cut(spec, ".")
	if n := number(prec); hasPrec && n < len(s) {
		s = s[:n]
	}
	fill := strings.Repeat(" ", max(0, number(width)-len(s)))
	if left {
		return s + fill
	}
	return fill + s
}

func number(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

func formatFloat(spec string, verb byte, n float64) string {
	if math.IsInf(n, 0) || math.IsNaN(n) {
		text := FormatNumber(n)
		if n > 0 && strings.Contains(spec, "+") {
			text = "+" + text
		} else if n > 0 && strings.Contains(spec, " ") {
			text = " " + text
		}
		if verb < 'a' {
			text = strings.ToUpper(text)
		}
		width, _, _ := strings.Cut(spec, ".")
		return pad(width, text)
	}
	if !strings.Contains(spec, ".") {
		spec += ".6" // C's default, for g too
	}
	return fmt.Sprintf("%"+spec+string(rune(verb)), n)
}

// quote writes a string as source can hold it.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch s[i] {
		case '"', '\\', '\n':
			b.WriteByte('\\')
			b.WriteByte(s[i])
		case '\r':
			b.WriteString("\\r")
		case 0:
			b.WriteString("\\000")
		default:
			b.WriteByte(s[i])
		}
	}
	b.WriteByte('"')
	return b.String()
}
