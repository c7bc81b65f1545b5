package fsm

import (
	"math"
	"strconv"
	"testing"
)

func TestParseInt(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 10, -10, math.MaxInt64, math.MinInt64, 12345} {
		if got, ok := parseInt(strconv.FormatInt(n, 10)); !ok || got != n {
			t.Errorf("%d: %d, %t", n, got, ok)
		}
	}
	for _, s := range []string{
		"", "-", "+1", "-0", "00", "01", "-01", " 1", "1 ", "1.0", "1e3", "0x1", "9223372036854775808",
		"-9223372036854775809", "18446744073709551616", "99999999999999999999", "999999999999999999999",
	} {
		if n, ok := parseInt(s); ok {
			t.Errorf("%q is read as %d", s, n)
		}
	}
}

// FuzzParseInt: what is read prints as it was, and the library reads the same.
func FuzzParseInt(f *testing.F) {
	f.Add("-12")
	f.Add("9223372036854775808")
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := parseInt(s)
		want, err := strconv.ParseInt(s, 10, 64)
		if ok != (err == nil && formatInt(want) == s) || ok && n != want {
			t.Fatalf("%q: %d, %t; strconv %d, %v", s, n, ok, want, err)
		}
	})
}

func TestParseCursor(t *testing.T) {
	for s, want := range map[string]uint64{
		"": 0, "0": 0, "18446744073709551615": math.MaxUint64, "-1": math.MaxUint64, "+7": 7, "007": 7, "3\x00x": 3,
	} {
		if got, ok := parseCursor([]byte(s)); !ok || got != want {
			t.Errorf("%q: %d, %t", s, got, ok)
		}
	}
	for _, s := range []string{" 1", "1 ", "x", "+", "-", "--1", "18446744073709551616", "1.5"} {
		if got, ok := parseCursor([]byte(s)); ok {
			t.Errorf("%q is read as %d", s, got)
		}
	}
}
