package resp

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// FuzzReader: no input panics, the commands do not depend on packets or on calls of Buffered, and memory is bounded by
// the input.
func FuzzReader(f *testing.F) {
	for _, c := range framingCases {
		if len(c.in) < 1<<10 {
			f.Add([]byte(c.in), uint8(3), true)
			f.Add([]byte(c.in), uint8(7), false)
		}
	}
	limits := &Limits{
		InlineBytesMax: 64, BulkBytesMax: 512, QueryBufferMax: 2048, MultibulkMax: 100,
		UnauthBulkBytesMax: 64, UnauthMultibulkMax: 3, UnauthBufferMax: 256,
	}
	f.Fuzz(func(t *testing.T, in []byte, size uint8, authed bool) {
		whole := NewReader(bytes.NewReader(in), limits)
		whole.SetAuthenticated(authed)
		want, wantErr := readAll(whole)
		checkBounds(t, whole, in, want)
		for _, sizes := range [][]int{{1}, {int(size) + 1}, {int(size) + 1, 1, 1 << 20}} {
			r := NewReader(&chunks{data: bytes.Clone(in), sizes: sizes}, limits)
			r.SetAuthenticated(authed)
			got, err := readAllBuffered(t, r)
			checkBounds(t, r, in, got)
			if !reflect.DeepEqual(got, want) || !sameOutcome(err, wantErr) {
				t.Fatalf("packets of %v: got %q, %v; want %q, %v", sizes, got, err, want, wantErr)
			}
		}
	})
}

// readAllBuffered is readAll with Buffered asked before each command, and its answer checked against the reads.
func readAllBuffered(t *testing.T, r *Reader) (cmds [][]string, err error) {
	src := r.src.(*chunks)
	for {
		ahead := r.Buffered()
		reads := src.reads
		args, err := r.Next()
		if ahead && reads != src.reads {
			t.Fatal("Buffered said true, and Next read")
		}
		if err != nil {
			return cmds, err
		}
		if !ahead && reads == src.reads {
			t.Fatal("Buffered said false, and Next had a command")
		}
		cmds = append(cmds, strs(args))
	}
}

func checkBounds(t *testing.T, r *Reader, in []byte, cmds [][]string) {
	if limit := 2*len(in) + activeBufferBytes; r.BufferBytes() > limit {
		t.Fatalf("a buffer of %d bytes for %d", r.BufferBytes(), len(in))
	}
	if limit := 2*len(in) + idleArgsMax; cap(r.args) > limit || cap(r.spans) > limit {
		t.Fatalf("%d and %d slots for %d bytes", cap(r.args), cap(r.spans), len(in))
	}
	total := 0
	for _, c := range cmds {
		if len(c) == 0 {
			t.Fatal("an empty command")
		}
		for _, a := range c {
			total += len(a)
		}
	}
	if total > len(in) {
		t.Fatalf("arguments of %d bytes out of %d", total, len(in))
	}
}

// sameOutcome: the size limit may be noticed in the middle of a line that is wrong at its end.
func sameOutcome(a, b error) bool {
	fatal := func(err error) bool { return errors.Is(err, ErrProtocol) || errors.Is(err, ErrQueryBufferLimit) }
	if errors.Is(a, ErrQueryBufferLimit) || errors.Is(b, ErrQueryBufferLimit) {
		return fatal(a) && fatal(b)
	}
	return a.Error() == b.Error()
}

// FuzzInline checks words against a plain second reading of Redis's rules.
func FuzzInline(f *testing.F) {
	for _, c := range framingCases {
		if len(c.in) < 1<<10 && !strings.HasPrefix(c.in, "*") {
			f.Add(c.in)
		}
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\x00\n") || strings.HasPrefix(line, "*") || len(line) > 1<<10 {
			return
		}
		want, ok := slowWords(strings.TrimSuffix(line, "\r"))
		got, err := readAll(newAuthed(strings.NewReader(line+"\n"), nil))
		switch {
		case !ok:
			if err != errUnbalancedQuotes {
				t.Fatalf("got %q, %v; want unbalanced quotes", got, err)
			}
		case err != io.EOF, len(want) == 0 && len(got) != 0:
			t.Fatalf("got %q, %v; want %q", got, err, want)
		case len(want) > 0 && !reflect.DeepEqual(got, [][]string{want}):
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

const blanks = " \t\n\v\f\r"

// slowWords is a state machine over single bytes, quote being the open one or 0.
func slowWords(s string) (words []string, ok bool) {
	for {
		s = strings.TrimLeft(s, blanks)
		if s == "" {
			return words, true
		}
		i := strings.IndexAny(s, " \t\n\r\"'")
		if i < 0 {
			return append(words, s), true
		}
		word, quote := s[:i], s[i]
		s = s[i:]
		if quote == '"' || quote == '\'' {
			var inner string
			if inner, s, ok = slowQuoted(s[1:], quote); !ok {
				return nil, false
			}
			word += inner
		}
		words = append(words, word)
	}
}

func slowQuoted(s string, quote byte) (inner, rest string, ok bool) {
	simple := map[byte]string{'n': "\n", 'r': "\r", 't': "\t", 'b': "\b", 'a': "\a"}
	for s != "" {
		switch {
		case s[0] == quote:
			rest = s[1:]
			return inner, rest, rest == "" || strings.ContainsAny(rest[:1], blanks)
		case s[0] != '\\' || len(s) == 1 || quote == '\'' && s[1] != '\'':
			inner, s = inner+s[:1], s[1:]
		case quote == '\'':
			inner, s = inner+"'", s[2:]
		default:
			if len(s) >= 4 && s[1] == 'x' {
				if n, err := strconv.ParseUint("0x"+s[2:4], 0, 8); err == nil && !strings.Contains(s[2:4], "_") {
					inner, s = inner+string([]byte{byte(n)}), s[4:]
					continue
				}
			}
			plain, known := simple[s[1]]
			if !known {
				plain = s[1:2]
			}
			inner, s = inner+plain, s[2:]
		}
	}
	return "", "", false
}

func FuzzParseInt64(f *testing.F) {
	for _, s := range []string{"0", "-1", "9223372036854775807", "-9223372036854775808", "01", "+1", "-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := strconv.ParseInt(s, 10, 64)
		wantOK := err == nil && strconv.FormatInt(want, 10) == s // the one spelling
		if n, ok := ParseInt64([]byte(s)); ok != wantOK || (ok && n != want) {
			t.Fatalf("%q: got %d, %v; want %d, %v", s, n, ok, want, wantOK)
		}
	})
}

// FuzzDouble compares with strconv, with math/big's own conversion, and reads the text back.
func FuzzDouble(f *testing.F) {
	for _, x := range []float64{0, 1, 0.1, 1e15, 1e16, 1e17, -1e-5, 5e-324, math.MaxFloat64, 123456789.125, 1e22} {
		f.Add(math.Float64bits(x))
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		x := math.Float64frombits(bits)
		got := string(AppendDouble17g(nil, x))
		if math.IsNaN(x) || math.IsInf(x, 0) {
			if want := map[bool]string{true: "nan", false: strings.ToLower(strconv.FormatFloat(x, 'g', -1, 64))}; got !=
				strings.TrimPrefix(want[math.IsNaN(x)], "+") {
				t.Fatalf("%v: got %s", x, got)
			}
			return
		}
		if want := strconv.FormatFloat(x, 'g', 17, 64); got != want {
			t.Fatalf("got %s, strconv %s", got, want)
		}
		if want := new(big.Float).SetFloat64(x).Text('g', 17); got != want {
			t.Fatalf("got %s, math/big %s", got, want)
		}
		if back, err := strconv.ParseFloat(got, 64); err != nil || math.Float64bits(back) != bits {
			t.Fatalf("%s reads back as %v, %v", got, back, err)
		}
	})
}
