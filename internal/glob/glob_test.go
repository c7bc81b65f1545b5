package glob

import (
	"strings"
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	cases := []struct {
		pattern, s string
		nocase     bool
		want       bool
	}{
		{"", "", false, true},
		{"", "a", false, false},
		{"*", "", false, false},
		{"**", "", false, false},
		{"*", "anything", false, true},
		{"?", "", false, false},
		{"?", "a", false, true},
		{"h?llo", "hello", false, true},
		{"h*llo", "heeeello", false, true},
		{"h*llo", "hllo", false, true},
		{"h[ae]llo", "hallo", false, true},
		{"h[ae]llo", "hillo", false, false},
		{"h[^e]llo", "hallo", false, true},
		{"h[^e]llo", "hello", false, false},
		{"h[a-c]llo", "hbllo", false, true},
		{"h[c-a]llo", "hbllo", false, true},
		{`h\*llo`, "h*llo", false, true},
		{`h\*llo`, "hello", false, false},
		{`a\`, `a\`, false, true},
		{"[abc", "b", false, true},
		{"[abc", "d", false, false},
		{"[", "[", false, false},
		{"[]", "]", false, false},
		{"[^", "x", false, true},
		{"[^]", "x", false, true},
		{`[\]]`, "]", false, true},
		{`[\`, `\`, false, true},
		{"[a-]", "-", false, false}, // the range a to ], unclosed
		{"[a-]", "_", false, true},
		{"[a-", "-", false, true},
		{"HELLO", "hello", true, true},
		{"HELLO", "hello", false, false},
		{"[A-C]x", "bX", true, true},
		{"[Z-a]", "b", true, false},
		{`[\A]`, "a", true, false},
		{`\A`, "a", true, true},
		{"*a*b*c", "xxaxxbxxc", false, true},
		{"*a*b*c", "xxaxxbxxcx", false, false},
		{"a**", "a", false, true},
		{"*ab", "aab", false, true},
		{"a*[b]", "a", false, false},
		{"\x00*\xff", "\x00mid\xff", false, true},
	}
	for _, c := range cases {
		if got := Match(c.pattern, c.s, c.nocase); got != c.want {
			t.Errorf("Match(%q, %q, %v) = %v", c.pattern, c.s, c.nocase, got)
		}
		if got := Match([]byte(c.pattern), []byte(c.s), c.nocase); got != c.want {
			t.Errorf("Match of bytes (%q, %q, %v) = %v", c.pattern, c.s, c.nocase, got)
		}
	}
}

func TestMatchOfManyStarsIsFast(t *testing.T) {
	pattern := strings.Repeat("*a", 500) + "*b"
	start := time.Now()
	if Match(pattern, strings.Repeat("a", 20_000), false) {
		t.Fatal("matched")
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	pattern, s := []byte("user:*:[0-9]?"), []byte("user:anna:42")
	if n := testing.AllocsPerRun(100, func() { Match(pattern, s, true) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestHasMeta(t *testing.T) {
	for s, want := range map[string]bool{"": false, "port": false, `po\rt`: false, "po*": true, "p?": true, "[p]": true} {
		if HasMeta(s) != want {
			t.Errorf("HasMeta(%q) = %v", s, !want)
		}
	}
}

// reference tries every division among the stars: slow and obviously right.
func reference(pattern, s string, nocase bool) bool {
	if pattern == "" {
		return s == ""
	}
	if s == "" {
		return strings.Trim(pattern, "*") == ""
	}
	if pattern[0] == '*' {
		for i := 0; i <= len(s); i++ {
			if reference(pattern[1:], s[i:], nocase) {
				return true
			}
		}
		return false
	}
	next, ok := one(pattern, 0, s[0], nocase)
	return ok && reference(pattern[next:], s[1:], nocase)
}

func FuzzMatch(f *testing.F) {
	f.Add("h[^a-c]*?", "hello", true)
	f.Add("*a*[b", "aab", false)
	f.Add(`\`, `\`, false)
	f.Fuzz(func(t *testing.T, pattern, s string, nocase bool) {
		got := Match(pattern, s, nocase)
		if strings.Count(pattern, "*") > 4 || len(s) > 24 {
			return // the reference takes exponential time
		}
		if s == "" {
			if got != (pattern == "") {
				t.Fatalf("Match(%q, empty) = %v", pattern, got)
			}
			return
		}
		if want := reference(pattern, s, nocase); got != want {
			t.Fatalf("Match(%q, %q, %v) = %v", pattern, s, nocase, got)
		}
	})
}
