package resp

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestWriterGolden(t *testing.T) {
	cases := []struct {
		name         string
		write        func(w *Writer)
		resp2, resp3 string
	}{
		{"simple", func(w *Writer) { w.Simple("OK") }, "+OK\r\n", "+OK\r\n"},
		{"simple with line ends", func(w *Writer) { w.Simple("a\r\nb") }, "+a  b\r\n", "+a  b\r\n"},
		{"error", func(w *Writer) { w.Error("ERR syntax error") }, "-ERR syntax error\r\n", "-ERR syntax error\r\n"},
		{"error with line ends", func(w *Writer) { w.Error("ERR 'a\r\n+OK\n'") }, "-ERR 'a  +OK '\r\n", "-ERR 'a  +OK '\r\n"},
		{"int", func(w *Writer) { w.Int(math.MinInt64) }, ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"},
		{"bulk", func(w *Writer) { w.Bulk([]byte("a\r\nb")) }, "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"},
		{"bulk nil", func(w *Writer) { w.Bulk(nil) }, "$0\r\n\r\n", "$0\r\n\r\n"},
		{"bulk string", func(w *Writer) { w.BulkString("0123456789") }, "$10\r\n0123456789\r\n", "$10\r\n0123456789\r\n"},
		{"null", func(w *Writer) { w.Null() }, "$-1\r\n", "_\r\n"},
		{"null array", func(w *Writer) { w.NullArray() }, "*-1\r\n", "_\r\n"},
		{"array", func(w *Writer) { w.Array(12) }, "*12\r\n", "*12\r\n"},
		{"map", func(w *Writer) { w.Map(12) }, "*24\r\n", "%12\r\n"},
		{"set", func(w *Writer) { w.Set(3) }, "*3\r\n", "~3\r\n"},
		{"push", func(w *Writer) { w.Push(3) }, "*3\r\n", ">3\r\n"},
		{"attribute", func(w *Writer) {
			if w.Attribute(1) {
				w.BulkString("ttl")
				w.Int(1)
			}
			w.Int(2)
		}, ":2\r\n", "|1\r\n$3\r\nttl\r\n:1\r\n:2\r\n"},
		{"double", func(w *Writer) { w.Double(0.1) }, "$19\r\n0.10000000000000001\r\n", ",0.10000000000000001\r\n"},
		{"double longest", func(w *Writer) { w.Double(-2.2250738585072014e-308) },
			"$24\r\n-2.2250738585072014e-308\r\n", ",-2.2250738585072014e-308\r\n"},
		{"decimal", func(w *Writer) { w.Decimal("13.36138933897018433") }, "$20\r\n13.36138933897018433\r\n", ",13.36138933897018433\r\n"},
		{"inf", func(w *Writer) { w.Double(math.Inf(1)) }, "$3\r\ninf\r\n", ",inf\r\n"},
		{"-inf", func(w *Writer) { w.Double(math.Inf(-1)) }, "$4\r\n-inf\r\n", ",-inf\r\n"},
		{"nan", func(w *Writer) { w.Double(math.Copysign(math.NaN(), -1)) }, "$3\r\nnan\r\n", ",nan\r\n"},
		{"big number", func(w *Writer) { w.BigNumber("123456789012345678901") },
			"$21\r\n123456789012345678901\r\n", "(123456789012345678901\r\n"},
		{"true", func(w *Writer) { w.Bool(true) }, ":1\r\n", "#t\r\n"},
		{"false", func(w *Writer) { w.Bool(false) }, ":0\r\n", "#f\r\n"},
		{"verbatim", func(w *Writer) { w.Verbatim("txt", "a\r\nb") }, "$4\r\na\r\nb\r\n", "=8\r\ntxt:a\r\nb\r\n"},
		{"verbatim short format", func(w *Writer) { w.Verbatim("m", "") }, "$0\r\n\r\n", "=4\r\nm  :\r\n"},
		{"raw", func(w *Writer) { w.Raw([]byte(":1\r\n")) }, ":1\r\n", ":1\r\n"},
	}
	for _, c := range cases {
		for proto, want := range map[int]string{RESP2: c.resp2, RESP3: c.resp3} {
			w := NewWriter()
			w.SetProtocol(proto)
			c.write(w)
			if string(w.Bytes()) != want || w.Len() != len(want) || w.Protocol() != proto {
				t.Errorf("%s, RESP%d: got %q, want %q", c.name, proto, w.Bytes(), want)
			}
		}
	}
}

func TestWriterProtocols(t *testing.T) {
	w := NewWriter()
	w.Null()
	w.SetProtocol(3)
	w.Null()
	w.SetProtocol(4)
	w.Null()
	if got := string(w.Bytes()); got != "$-1\r\n_\r\n$-1\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestTakeCalls(t *testing.T) {
	w := NewWriter()
	if got := w.TakeCalls(nil); got != nil {
		t.Errorf("calls before any: %q", got)
	}
	for _, texts := range [][]string{{"ERR a"}, {"WRONGTYPE b", "OOM c"}, nil, {"nocode"}, {strings.Repeat("x", 40) + " y"}} {
		w.BeginCall()
		for _, text := range texts {
			w.Error(text)
		}
		w.EndCall()
	}
	if got := w.TakeCalls(nil); !reflect.DeepEqual(got, []string{"ERR", "WRONGTYPE", "", "ERR", "ERR"}) {
		t.Errorf("got %q", got)
	}
	w.Int(1)
	if got := w.TakeCalls(nil); got != nil {
		t.Errorf("taken twice: %q", got)
	}
	w.Error("BUSY d")
	w.EndCall()
	w.Reset()
	if got := w.TakeCalls(nil); got != nil {
		t.Errorf("after Reset: %q", got)
	}
	w.Error("OOM e")
	w.EndCall()
	if got := w.TakeCalls([]string{"before"}); !reflect.DeepEqual(got, []string{"before", "OOM"}) {
		t.Errorf("after Reset and an error: %q", got)
	}
}

func TestFillDeferred(t *testing.T) {
	w := NewWriter()
	w.Simple("before")
	w.Array(4)
	w.Deferred()
	w.Int(1)
	w.Deferred()
	w.Deferred()
	if !reflect.DeepEqual(w.Marks(), []int{13, 17, 17}) {
		t.Fatalf("marks %v", w.Marks())
	}
	calls := 0
	w.FillDeferred(func(i int) {
		if i != calls {
			t.Errorf("call %d has number %d", calls, i)
		}
		calls++
		if i == 1 {
			w.Error("ERR no")
			w.EndCall()
			return
		}
		w.BulkString(fmt.Sprint("reply", i))
	})
	want := "+before\r\n*4\r\n$6\r\nreply0\r\n:1\r\n-ERR no\r\n$6\r\nreply2\r\n"
	if string(w.Bytes()) != want || len(w.Marks()) != 0 || len(w.TakeCalls(nil)) != 1 {
		t.Errorf("got %q, marks %v", w.Bytes(), w.Marks())
	}
	w.FillDeferred(func(int) { t.Error("called without a mark") })
}

func TestFillManyDeferredIsLinear(t *testing.T) {
	const n = 200_000 // one by one this would move 100 GB
	w := NewWriter()
	for range n {
		w.Deferred()
		w.Int(1)
	}
	w.FillDeferred(func(int) { w.Simple("PONG") })
	if want := strings.Repeat("+PONG\r\n:1\r\n", n); string(w.Bytes()) != want {
		t.Error("wrong bytes")
	}
}

func TestTruncateAndMarks(t *testing.T) {
	w := NewWriter()
	w.Deferred()
	w.Int(1)
	at := w.Len()
	w.Deferred()
	w.Int(2)
	w.Truncate(at)
	if string(w.Bytes()) != ":1\r\n" || !reflect.DeepEqual(w.Marks(), []int{0}) {
		t.Errorf("got %q, marks %v", w.Bytes(), w.Marks())
	}
	w.ClearMarks()
	if len(w.Marks()) != 0 {
		t.Error("marks are left")
	}
}

func TestResetGivesMemoryBack(t *testing.T) {
	w := NewWriter()
	w.Bulk(make([]byte, 1<<20))
	w.Deferred()
	w.FillDeferred(func(int) { w.Int(1) })
	w.Reset()
	if w.Cap() > retainBufferBytes || w.Len() != 0 {
		t.Errorf("%d bytes kept after a large reply", w.Cap())
	}
	w.Bulk(make([]byte, 20<<10))
	w.Reset()
	if w.Cap() < 20<<10 {
		t.Error("a buffer in use was dropped")
	}
	for range 2 * smallUsesLimit {
		w.Simple("OK")
		w.Reset()
	}
	if w.Cap() > idleBufferBytes {
		t.Errorf("%d bytes kept by a connection gone quiet", w.Cap())
	}
}

func TestWriterDoesNotAllocate(t *testing.T) {
	for _, proto := range []int{RESP2, RESP3} {
		w := NewWriter()
		w.SetProtocol(proto)
		value := []byte("value")
		n := testing.AllocsPerRun(1000, func() {
			w.Reset()
			w.Map(3)
			w.Bulk(value)
			w.Double(1.25)
			w.Null()
			w.Int(1234567)
			w.Error("ERR no")
		})
		if n != 0 {
			t.Errorf("RESP%d: %v allocations", proto, n)
		}
	}
}

func TestParseInt64(t *testing.T) {
	good := map[string]int64{
		"0": 0, "1": 1, "-1": -1, "10": 10, "9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64,
	}
	for in, want := range good {
		if n, ok := ParseInt64([]byte(in)); !ok || n != want {
			t.Errorf("%q: got %d, %v", in, n, ok)
		}
	}
	for _, in := range []string{
		"", "-", "+1", "01", "-0", "00", " 1", "1 ", "1a", "a", "--1", "9223372036854775808", "-9223372036854775809",
		"18446744073709551616", "10000000000000000000", "99999999999999999999", "1.0", "1e3", "\x001",
	} {
		if n, ok := ParseInt64([]byte(in)); ok {
			t.Errorf("%q: taken as %d", in, n)
		}
	}
}

// TestDouble17g: the texts are glibc's printf("%.17g").
func TestDouble17g(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", 1: "1", -1: "-1", 3: "3", 0.5: "0.5", 1.1: "1.1000000000000001", 3.14: "3.1400000000000001",
		1e15: "1000000000000000", 1e16: "10000000000000000", 1e17: "1e+17", 123456789012345678: "1.2345678901234568e+17",
		1e-4: "0.0001", 1e-5: "1.0000000000000001e-05", 0.00012345: "0.00012344999999999999",
		1e100: "1e+100", 1e300: "1.0000000000000001e+300", 5e-324: "4.9406564584124654e-324",
		math.MaxFloat64: "1.7976931348623157e+308", 9007199254740993: "9007199254740992", 1e21: "1e+21",
		-123456.75: "-123456.75", 999999999999999: "999999999999999", 1234567890123456.5: "1234567890123456.5",
	} {
		if got := string(AppendDouble17g(nil, f)); got != want {
			t.Errorf("%v: got %s, want %s", f, got, want)
		}
	}
	if got := string(AppendDouble17g([]byte("x"), math.Copysign(0, -1))); got != "x-0" {
		t.Errorf("negative zero: %s", got)
	}
}
