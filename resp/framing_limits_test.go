package resp

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// allocated returns the bytes that f allocated, freed or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestHostileLengths: each of these stopped redcon's server, or had it spin or allocate (docs of the measured traps).
func TestHostileLengths(t *testing.T) {
	for in, want := range map[string]string{
		"*1\r\n$9223372036854775807\r\n":                        "invalid bulk length",
		"*9223372036854775807\r\n":                              "invalid multibulk length",
		"*1000000000\r\n":                                       "invalid multibulk length",
		"*1\r\n$2000000000\r\n" + strings.Repeat("x", 1<<10):    "invalid bulk length",
		"*1\r\n$-2\r\n":                                         "invalid bulk length",
		"*-9223372036854775808\r\n*-9223372036854775809\r\n":    "invalid multibulk length",
		"*2\r\n$4\r\nECHO\r\n$18446744073709551615\r\nabcdef\r": "invalid bulk length",
	} {
		var err error
		used := allocated(func() { _, err = readAll(newAuthed(strings.NewReader(in), nil)) })
		if errText(err) != want {
			t.Errorf("%.40q: got %v, want %s", in, err, want)
		}
		if used > 64<<10 {
			t.Errorf("%.40q: allocated %d bytes", in, used)
		}
	}
}

// TestAnnouncedLengthsCostNothing: lengths within the limits, but nothing behind them.
func TestAnnouncedLengthsCostNothing(t *testing.T) {
	for _, in := range []string{"*1048576\r\n", "*1048576\r\n$1\r\na\r\n", "*1\r\n$536870912\r\nabc", "*1\r\n$600\r\n"} {
		r := newAuthed(strings.NewReader(in), nil)
		used := allocated(func() { _, _ = readAll(r) })
		if used > 64<<10 {
			t.Errorf("%q: allocated %d bytes", in, used)
		}
	}
}

func TestEndlessInlineIsBounded(t *testing.T) {
	for unit, want := range map[string]string{
		"a": "too big inline request", "\x00\n": "too big inline request", "*": "too big mbulk count string",
	} {
		src := &repeated{unit: unit}
		r := newAuthed(src, nil)
		var err error
		used := allocated(func() { _, err = readAll(r) })
		if errText(err) != want {
			t.Errorf("%q: got %v", unit, err)
		}
		if src.sent > 160<<10 || r.BufferBytes() > 256<<10 || used > 512<<10 {
			t.Errorf("%q: read %d bytes into a buffer of %d, allocated %d", unit, src.sent, r.BufferBytes(), used)
		}
	}
}

func TestEndlessEmptyCommandsHoldNothing(t *testing.T) {
	src := &chunks{data: bytes.Repeat([]byte("*0\r\n\r\n\n*-1\r\n"), 100_000), err: io.EOF}
	r := newAuthed(src, nil)
	if used := allocated(func() { _, _ = readAll(r) }); used > 64<<10 {
		t.Errorf("allocated %d bytes", used)
	}
}

// TestOneByteAPacketIsLinear would run for minutes, or overflow a stack, where each read starts over.
func TestOneByteAPacketIsLinear(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 2<<20)
	inputs := map[string][]byte{
		"one bulk":    encode([]string{"SET", "k", string(big)}),
		"many bulks":  encode(strings.Split(strings.Repeat("a,", 200_000), ",")),
		"one line":    append(bytes.Repeat([]byte("a"), 60<<10), '\n'),
		"many lines":  bytes.Repeat([]byte("PING a b c\r\n"), 50_000),
		"many header": bytes.Repeat([]byte("*1\r\n$4\r\nPING\r\n"), 50_000),
	}
	for name, in := range inputs {
		start := time.Now()
		r := newAuthed(&chunks{data: in, sizes: []int{1}}, nil)
		var err error
		used := allocated(func() {
			for err == nil {
				_, err = r.Next()
			}
		})
		if err != io.EOF {
			t.Errorf("%s: %v", name, err)
		}
		if limit := uint64(24*len(in) + 256<<10); used > limit {
			t.Errorf("%s: allocated %d bytes for %d", name, used, len(in))
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%s: took %v", name, d)
		}
	}
}

func TestManyLargeArgumentsAreLinear(t *testing.T) {
	args := []string{"MSET"}
	for range 200 {
		args = append(args, strings.Repeat("v", 40_000))
	}
	in := encode(args)
	r := newAuthed(bytes.NewReader(in), nil)
	used := allocated(func() {
		if got, err := r.Next(); err != nil || len(got) != len(args) {
			t.Errorf("got %d arguments, %v", len(got), err)
		}
	})
	if used > uint64(5*len(in)) {
		t.Errorf("allocated %d bytes for %d", used, len(in))
	}
}

func TestLastLargeArgumentFitsExactly(t *testing.T) {
	in := encode([]string{"SET", "k", strings.Repeat("v", 5<<20)})
	r := newAuthed(bytes.NewReader(in), nil)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if r.BufferBytes() > len(in)+(64<<10) {
		t.Errorf("%d bytes held for %d", r.BufferBytes(), len(in))
	}
}

func TestUnauthenticated(t *testing.T) {
	arg := strings.Repeat("a", 16<<10)
	cases := []struct{ in, err string }{
		{"*11\r\n", "unauthenticated multibulk length"},
		{"*1\r\n$16385\r\n", "unauthenticated bulk length"},
		{string(encode([]string{arg, arg, arg, arg, arg, arg, arg, arg, arg, arg})), ""},
	}
	for _, c := range cases {
		if _, err := readAll(NewReader(strings.NewReader(c.in), nil)); errText(err) != c.err {
			t.Errorf("%.20q: got %v, want %q", c.in, err, c.err)
		}
	}
	// The limits end within a pipeline, between two calls, even where Buffered has looked ahead.
	r := NewReader(strings.NewReader("AUTH x\r\n*11\r\n"+strings.Repeat("$1\r\na\r\n", 11)), nil)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if !r.Buffered() {
		t.Error("Buffered is false before an error")
	}
	r.SetAuthenticated(true)
	if args, err := r.Next(); err != nil || len(args) != 11 {
		t.Errorf("after authentication: %d arguments, %v", len(args), err)
	}
}

func TestQueryBufferLimit(t *testing.T) {
	limits := &Limits{QueryBufferMax: 100_000, UnauthBufferMax: 50_000}
	in := encode([]string{"SET", "k", strings.Repeat("v", 60_000)})
	for _, sizes := range [][]int{nil, {1}, {1000}} {
		src := &chunks{data: append(bytes.Clone(in), in...), sizes: sizes}
		r := newAuthed(src, limits)
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		r.SetQueued(50_000) // what MULTI holds counts
		if _, err := r.Next(); !errors.Is(err, ErrQueryBufferLimit) {
			t.Fatalf("got %v", err)
		}
		if _, err := r.Next(); !errors.Is(err, ErrQueryBufferLimit) {
			t.Fatalf("not final: %v", err)
		}
	}
	limits.UnauthBulkBytesMax = 1 << 20
	if _, err := readAll(NewReader(bytes.NewReader(in), limits)); !errors.Is(err, ErrQueryBufferLimit) {
		t.Errorf("unauthenticated: %v", err)
	}
	// Many arguments that are small each.
	args := strings.Split(strings.Repeat("a", 30_000), "")
	if _, err := readAll(newAuthed(bytes.NewReader(encode(args)), limits)); !errors.Is(err, ErrQueryBufferLimit) {
		t.Errorf("many arguments: %v", err)
	}
}

func TestSetLimits(t *testing.T) {
	r := newAuthed(strings.NewReader("*1\r\n$10\r\n0123456789\r\n*1\r\n$10\r\n"), nil)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	r.SetLimits(&Limits{BulkBytesMax: 9})
	if _, err := r.Next(); errText(err) != "invalid bulk length" {
		t.Errorf("got %v", err)
	}
	full := DefaultLimits()
	if full.filled() != &full {
		t.Error("complete limits were copied")
	}
}

func TestBufferShrinks(t *testing.T) {
	ping := "*1\r\n$4\r\nPING\r\n"
	big := string(encode([]string{"SET", "k", strings.Repeat("v", 1<<20)}))
	next := func(r *Reader) {
		t.Helper()
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	small := newAuthed(&chunks{data: []byte(strings.Repeat(ping, 10)), sizes: []int{len(ping)}}, nil)
	for range 10 {
		next(small)
	}
	if small.BufferBytes() > idleBufferBytes {
		t.Errorf("a quiet connection holds %d bytes", small.BufferBytes())
	}

	r := newAuthed(&chunks{data: []byte(big + ping + ping), sizes: []int{1 << 30}}, nil)
	next(r)
	if r.BufferBytes() < 1<<20 {
		t.Fatal("the large command is not in the buffer")
	}
	next(r)
	next(r)
	if r.BufferBytes() > retainBufferBytes {
		t.Errorf("%d bytes kept after a large command", r.BufferBytes())
	}

	// Commands behind the large one that are never complete at the end of a read.
	in := big + strings.Repeat(ping, 2000)
	r = newAuthed(&chunks{data: []byte(in), sizes: []int{len(big) + 3, 14, 14, 14, 14}}, nil)
	for range 1000 {
		next(r)
	}
	if r.BufferBytes() > retainBufferBytes {
		t.Errorf("%d bytes kept by halves of commands", r.BufferBytes())
	}

	in = strings.Repeat(ping, 2000)
	r = newAuthed(&chunks{data: []byte(in + strings.Repeat(ping, 40)), sizes: []int{1000, 1 << 20}}, nil)
	for range 2000 {
		next(r)
	}
	if r.BufferBytes() != activeBufferBytes {
		t.Errorf("an active connection reads %d bytes at a time", r.BufferBytes())
	}
	r.src = &chunks{data: []byte(strings.Repeat(ping, 100)), sizes: []int{len(ping)}}
	for range 100 {
		next(r)
	}
	if r.BufferBytes() != idleBufferBytes || cap(r.args) > idleArgsMax {
		t.Errorf("%d bytes and %d slots kept by a connection gone quiet", r.BufferBytes(), cap(r.args))
	}
	for !errors.Is(func() error { _, err := r.Next(); return err }(), io.EOF) {
	}
	r.Shrink()
	if r.BufferBytes() != 0 {
		t.Error("Shrink keeps a buffer")
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	r := newAuthed(&repeated{unit: "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n"}, nil)
	for range 10_000 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(10_000, func() { _, _ = r.Next() }); n != 0 {
		t.Errorf("%v allocations a command", n)
	}
}
