package fsm

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestParseLongDouble(t *testing.T) {
	for in, want := range map[string]string{
		"1": "1", "-1.50": "-1.5", "+.5": "0.5", "5.": "5", "1e3": "1000", "1E-3": "0.001", "0x10": "16", "-0x.8p1": "-1",
		"-0": "0", "0e999999999": "0", "1e-30": "0", "0.1": "0.1", "00012": "12",
		"0." + strings.Repeat("0", 4000) + "1e4001": "1",
		"18446744073709551616":                      "18446744073709551616",
		"18446744073709551617":                      "18446744073709551616", // 64 bits of mantissa, ties to even
	} {
		f, ok := parseLongDouble(in)
		if !ok {
			t.Errorf("%q is refused", in)
			continue
		}
		if got := formatLongDouble(f); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	for _, in := range []string{
		"", " 1", "1 ", "+", "-", ".", "e1", "1e", "1e+", "1.2.3", "0x", "0xg", "0x1p", "nan", "NaN(1)", "1_0",
		"0b1", "0o7", "1e4933", "-1e4933", "1e-4960", "1e999999999999", "1e-999999999999", "infin", "++1", "1\x00",
		strings.Repeat("1", longDoubleTextBytesMax+1),
	} {
		if f, ok := parseLongDouble(in); ok {
			t.Errorf("%q is taken as %s", in, formatLongDouble(f))
		}
	}
	if f, ok := parseLongDouble("-Infinity"); !ok || !f.IsInf() || !f.Signbit() {
		t.Error("-Infinity")
	}
}

func TestAddLongDouble(t *testing.T) {
	big, _ := parseLongDouble("1.1e4932")
	if _, ok := addLongDouble(big, big); ok {
		t.Error("a sum out of range is taken")
	}
	inf, _ := parseLongDouble("inf")
	minus, _ := parseLongDouble("-inf")
	if _, ok := addLongDouble(inf, minus); ok {
		t.Error("inf - inf is taken")
	}
	a, _ := parseLongDouble("3")
	b, _ := parseLongDouble("-3")
	if sum, ok := addLongDouble(a, b); !ok || formatLongDouble(sum) != "0" {
		t.Error("3 - 3")
	}
}

// FuzzParseLongDouble compares with the 64-bit parser of the library wherever that can tell.
func FuzzParseLongDouble(f *testing.F) {
	for _, s := range []string{"1", "-1.5e3", "0x1p-3", "inf", "1e400", "1e-400", "nan", "1_0", ".5e+1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseLongDouble(s)
		if ok {
			_ = formatLongDouble(got)
		}
		want, err := strconv.ParseFloat(s, 64)
		if err != nil || strings.Contains(s, "_") || math.IsNaN(want) || len(s) > longDoubleTextBytesMax {
			return
		}
		if !ok {
			if want != 0 {
				t.Fatalf("%q is refused, strconv reads %g", s, want)
			}
			return // too small for a long double
		}
		if v, _ := got.Float64(); math.Abs(v-want) > math.Abs(want)*1e-15 {
			t.Fatalf("%q: %g, strconv reads %g", s, v, want)
		}
	})
}
