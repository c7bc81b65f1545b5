package splitargs

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func split(t *testing.T, line string) []string {
	t.Helper()
	words, err := Split([]byte(line))
	if err != nil {
		t.Fatalf("Split(%q): %v", line, err)
	}
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}

func TestSplit(t *testing.T) {
	cases := []struct {
		line string
		want []string
	}{
		{"", nil},
		{" \t\r\n", nil},
		{"set a b", []string{"set", "a", "b"}},
		{"  set\ta  b\r\n", []string{"set", "a", "b"}},
		{`a "b c" d`, []string{"a", "b c", "d"}},
		{`a 'b c'`, []string{"a", "b c"}},
		{`""`, []string{""}},
		{`'' x`, []string{"", "x"}},
		{`"\n\r\t\b\a\\\"\q"`, []string{"\n\r\t\b\a\\\"q"}},
		{`"\x41\xfF\xg1\x4"`, []string{"A\xffxg1x4"}},
		{`'it\'s \n'`, []string{`it's \n`}},
		{`foo"bar baz"`, []string{"foobar baz"}},
		{`foo\nbar`, []string{`foo\nbar`}},
		{"a\x00b", []string{"a"}},
		{"\x00b", nil},
		{"\"a\"\x00b\" c", []string{"a"}},
		{"\va\vb\f", []string{"a\vb\f"}},
		{"\"a\"\vb", []string{"a", "b"}},
	}
	for _, c := range cases {
		if got := split(t, c.line); !slices.Equal(got, c.want) {
			t.Errorf("Split(%q) = %q, want %q", c.line, got, c.want)
		}
	}
}

func TestSplitUnbalanced(t *testing.T) {
	for _, line := range []string{`"`, `'`, `a "b`, `"a"b`, `'a'b`, `"a""b"`, `"a\`, `"a\"`, `'a\'`, "\"a\x00b\"", "'\x00'", "\"\\\x00\""} {
		if words, err := Split([]byte(line)); !errors.Is(err, ErrUnbalanced) {
			t.Errorf("Split(%q) = %q, %v", line, words, err)
		}
	}
}

func TestSplitWordsAreIndependent(t *testing.T) {
	words, err := Split([]byte("ab cd"))
	if err != nil {
		t.Fatal(err)
	}
	_ = append(words[0], 'X')
	if string(words[1]) != "cd" {
		t.Errorf("appending to one word changed the next: %q", words[1])
	}
}

func TestSplitAllocations(t *testing.T) {
	line := []byte("set key value")
	if n := testing.AllocsPerRun(100, func() { _, _ = Split(line) }); n > 2 {
		t.Errorf("%v allocations, want the buffer and the slice of words", n)
	}
}

// TestInPlace: the words stand in the line, in order and apart, and nothing is allocated where there is room for them.
func TestInPlace(t *testing.T) {
	const source = "set \"a\\x41\" 'b\\'c' d\x00e"
	line := []byte(source)
	words := AppendInPlace([][]byte{[]byte("before")}, line)
	if got := string(bytes.Join(words, []byte("|"))); got != "before|set|aA|b'c|d\x00e" {
		t.Errorf("%q", got)
	}
	for _, w := range words[1:] {
		if cap(w) != len(w) {
			t.Errorf("%q can be appended to over what follows", w)
		}
		w[0] = '#'
	}
	if n := bytes.Count(line, []byte("#")); n != len(words)-1 {
		t.Errorf("%d of the words stand in the line", n)
	}
	if Balanced([]byte(`"a"b`)) || !Balanced([]byte(source)) || !Balanced(nil) {
		t.Error("Balanced")
	}
	words = words[:0]
	if n := testing.AllocsPerRun(100, func() { AppendInPlace(words, line[:copy(line, source)]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestQuote(t *testing.T) {
	for s, want := range map[string]string{
		"plain":       "plain",
		"":            `""`,
		"a b":         `"a b"`,
		`a"b\`:        `"a\"b\\"`,
		"#x":          `"#x"`,
		"it's":        `"it's"`,
		"\n\r\t\x00é": `"\n\r\t\x00\xc3\xa9"`,
	} {
		if got := Quote(s); got != want {
			t.Errorf("Quote(%q) = %s, want %s", s, got, want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{`a "b\x41" 'c\''`, "x\x00", `"a`, `foo"bar" `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		words, err := Split(line)
		if err != nil {
			return
		}
		var again bytes.Buffer
		total := 0
		for _, w := range words {
			total += len(w)
			again.WriteString(Quote(string(w)) + " ")
		}
		if total > len(line) {
			t.Fatalf("%d bytes of words from %d", total, len(line))
		}
		back, err := Split(again.Bytes())
		if err != nil || !slices.EqualFunc(words, back, bytes.Equal) {
			t.Fatalf("%q quoted and split again is %q, %v", words, back, err)
		}
	})
}
