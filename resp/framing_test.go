package resp

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/redcon"
)

// chunks is a source that gives its bytes in pieces: sizes in turn, the last one over and over. Then it gives err.
type chunks struct {
	data  []byte
	sizes []int
	err   error
	reads int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		if c.err == nil {
			return 0, io.EOF
		}
		return 0, c.err
	}
	n := len(c.data)
	if len(c.sizes) > 0 {
		n = min(n, c.sizes[0])
		if len(c.sizes) > 1 {
			c.sizes = c.sizes[1:]
		}
	}
	n = copy(p, c.data[:n])
	c.data = c.data[n:]
	c.reads++
	return n, nil
}

// repeated is a source that never ends.
type repeated struct {
	unit string
	off  int
	sent int
}

func (s *repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = s.unit[s.off]
		s.off = (s.off + 1) % len(s.unit)
	}
	s.sent += len(p)
	return len(p), nil
}

func newAuthed(src io.Reader, l *Limits) *Reader {
	r := NewReader(src, l)
	r.SetAuthenticated(true)
	return r
}

func strs(args [][]byte) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = string(a)
	}
	return out
}

func readAll(r *Reader) (cmds [][]string, err error) {
	for {
		args, err := r.Next()
		if err != nil {
			return cmds, err
		}
		cmds = append(cmds, strs(args))
	}
}

func errText(err error) string {
	if errors.Is(err, io.EOF) {
		return ""
	}
	return strings.TrimPrefix(err.Error(), "Protocol error: ")
}

const cut = "unexpected EOF"

var framingCases = []struct {
	in   string
	want [][]string
	err  string // "": the end of the input between commands
}{
	{"", nil, ""},
	{"PING\r\n", [][]string{{"PING"}}, ""},
	{"PING\nPING\n", [][]string{{"PING"}, {"PING"}}, ""},
	{"\r\n\n   \r\n*0\r\n*-1\r\n*-5\r\nPING\r\n", [][]string{{"PING"}}, ""},
	{"  SET \t k\tv  \r\n", [][]string{{"SET", "k", "v"}}, ""},
	{"a\vb \f c\rd\r\n", [][]string{{"a\vb", "c", "d"}}, ""},
	{`SET k "a\x00\xFf\n\r\t\b\a\q\"\\ \xZZ \x"` + "\r\n", [][]string{{"SET", "k", "a\x00\xff\n\r\t\b\a" + `q"\ xZZ x`}}, ""},
	{`SET 'it\'s \n' ''  ""` + "\n", [][]string{{"SET", `it's \n`, "", ""}}, ""},
	{`pre"fix" pre'fix'` + "\n", [][]string{{"prefix", "prefix"}}, ""},
	{`""` + "\n", [][]string{{""}}, ""},
	{`a\nb` + "\n", [][]string{{`a\nb`}}, ""},
	{`"a` + "\n", nil, "unbalanced quotes in request"},
	{`"a\` + "\n", nil, "unbalanced quotes in request"},
	{`'a` + "\n", nil, "unbalanced quotes in request"},
	{`"a"b` + "\n", nil, "unbalanced quotes in request"},
	{`'a'b` + "\n", nil, "unbalanced quotes in request"},
	{"PING\n" + `"a"'b'` + "\n", [][]string{{"PING"}}, "unbalanced quotes in request"},
	{"PIN", nil, cut},
	{"a\x00b\nPING\n", nil, cut}, // the NUL hides the line end
	{"a\x00" + strings.Repeat("b\n", 33<<10), nil, "too big inline request"},
	{"$5\r\n", [][]string{{"$5"}}, ""},

	{"*1\r\n$4\r\nPING\r\n", [][]string{{"PING"}}, ""},
	{"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n*1\r\n$1\r\na\r\n", [][]string{{"ECHO", ""}, {"a"}}, ""},
	{"*2\r\n$4\r\nECHO\r\n$6\r\n\r\n\x00*1\r\r\n", [][]string{{"ECHO", "\r\n\x00*1\r"}}, ""},
	{"*1\rX$4\rXPINGXX", [][]string{{"PING"}}, ""}, // line feeds are not looked at
	{"*1\r\n$4\r\nPING\r", nil, cut},
	{"*1\r\n$4\r", nil, cut},
	{"*1\r", nil, cut},
	{"*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", nil, "expected '$', got 'f'"},
	{"*1\r\n\r\n", nil, "expected '$', got ' '"},
	{"*1\r\n*1\r\n", nil, "expected '$', got '*'"},
	{"*x\r\n", nil, "invalid multibulk length"},
	{"*\r\n", nil, "invalid multibulk length"},
	{"* 1\r\n", nil, "invalid multibulk length"},
	{"*+1\r\n", nil, "invalid multibulk length"},
	{"*01\r\n", nil, "invalid multibulk length"},
	{"*00\r\n", nil, "invalid multibulk length"},
	{"*-0\r\n", nil, "invalid multibulk length"},
	{"*1\n$4\nPING\n\r\n", nil, "invalid multibulk length"},
	{"*3000000000\r\n", nil, "invalid multibulk length"},
	{"*1048577\r\n", nil, "invalid multibulk length"},
	{"*1048576\r\n", nil, cut},
	{"*" + strings.Repeat("1", 64<<10), nil, "too big mbulk count string"},
	{"*\x00" + strings.Repeat("\r\n", 40<<10), nil, "too big mbulk count string"},
	{"*1\r\n$" + strings.Repeat("1", 64<<10), nil, "too big bulk count string"},
	{"*1\r\n$\x00" + strings.Repeat("\r\n", 40<<10), nil, "too big bulk count string"},
	{"*1\r\n$x\r\n", nil, "invalid bulk length"},
	{"*1\r\n$-1\r\n", nil, "invalid bulk length"},
	{"*1\r\n$-10\r\n", nil, "invalid bulk length"},
	{"*1\r\n$01\r\n", nil, "invalid bulk length"},
	{"*1\r\n$2000000000\r\n", nil, "invalid bulk length"},
	{"*1\r\n$9223372036854775808\r\n", nil, "invalid bulk length"},
}

func TestCommands(t *testing.T) {
	for _, c := range framingCases {
		got, err := readAll(newAuthed(strings.NewReader(c.in), nil))
		if text := errText(err); text != c.err || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%.60q: got %q, %q; want %q, %q", c.in, got, text, c.want, c.err)
		}
		if errors.Is(err, ErrProtocol) != (c.err != "" && c.err != cut) {
			t.Errorf("%.60q: errors.Is(%v, ErrProtocol) is wrong", c.in, err)
		}
	}
}

func TestSplitAnywhere(t *testing.T) {
	for _, c := range framingCases {
		want, wantErr := readAll(newAuthed(strings.NewReader(c.in), nil))
		step := 1 + len(c.in)/64
		for at := 1; at < len(c.in); at += step {
			src := &chunks{data: []byte(c.in), sizes: []int{at, len(c.in)}}
			got, err := readAll(newAuthed(src, nil))
			if !reflect.DeepEqual(got, want) || err.Error() != wantErr.Error() {
				t.Fatalf("%.60q cut at %d: got %q, %v; want %q, %v", c.in, at, got, err, want, wantErr)
			}
		}
		src := &chunks{data: []byte(c.in), sizes: []int{1}}
		got, err := readAll(newAuthed(src, nil))
		if !reflect.DeepEqual(got, want) || err.Error() != wantErr.Error() {
			t.Fatalf("%.60q byte by byte: got %q, %v; want %q, %v", c.in, got, err, want, wantErr)
		}
	}
}

func TestInlineLimitIsExact(t *testing.T) {
	line := strings.Repeat("a", 64<<10)
	for _, sizes := range [][]int{nil, {1}, {16 << 10}} {
		got, err := readAll(newAuthed(&chunks{data: []byte(line + "\n"), sizes: sizes}, nil))
		if len(got) != 1 || got[0][0] != line || err != io.EOF {
			t.Errorf("chunks %v: a line at the limit was refused: %v", sizes, err)
		}
		_, err = readAll(newAuthed(&chunks{data: []byte(line + "a\n"), sizes: sizes}, nil))
		if errText(err) != "too big inline request" {
			t.Errorf("chunks %v: a line above the limit: %v", sizes, err)
		}
	}
}

func TestProtocolErrorForms(t *testing.T) {
	r := newAuthed(strings.NewReader("*x\r\nPING\r\n"), nil)
	if !func() bool { _, err := r.Next(); return err != nil }() {
		t.Fatal("no error")
	}
	_, err := r.Next() // final
	var pe *ProtocolError
	if !errors.As(err, &pe) || pe.Reply() != "ERR Protocol error: invalid multibulk length" {
		t.Fatalf("got %v", err)
	}
	if !r.Buffered() {
		t.Error("Buffered is false, though an error is to be reported")
	}
}

func encode(args []string) []byte {
	out := redcon.AppendArray(nil, len(args))
	for _, a := range args {
		out = redcon.AppendBulkString(out, a)
	}
	return out
}

// TestPipelineStaysValid holds all commands of each burst and looks at them only before the next read.
func TestPipelineStaysValid(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var in []byte
	var want [][]string
	for i := range 3000 {
		c := []string{"SET", fmt.Sprint("key", i), strings.Repeat("v", rng.IntN(400))}
		want = append(want, c)
		in = append(in, encode(c)...)
	}
	r := newAuthed(&chunks{data: in, sizes: []int{100, 5000, 17, 30000, 3}}, nil)
	var got [][]string
	var held [][][]byte
	for {
		args, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, args)
		_ = append(args, []byte("intruder")) // must not reach the neighbour
		if r.Buffered() {
			continue
		}
		for _, h := range held {
			got = append(got, strs(h))
		}
		held = held[:0]
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("commands changed while they were held")
	}
}

func TestBufferedDoesNotRead(t *testing.T) {
	src := &chunks{data: []byte("PING\r\n*1\r\n$4\r\nPI" + "NG\r\n\r\n*0\r\nPING\r\n"), sizes: []int{16, 100}}
	r := newAuthed(src, nil)
	if r.Buffered() || src.reads != 0 {
		t.Fatal("Buffered before any read")
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if r.Buffered() || src.reads != 1 {
		t.Fatal("half a command counts as buffered")
	}
	if r.Pending() == 0 {
		t.Error("half a command is not pending")
	}
	if args, err := r.Next(); err != nil || string(args[0]) != "PING" {
		t.Fatal(args, err)
	}
	again := r.Buffered() // asking changes nothing
	if !r.Buffered() || !again || src.reads != 2 {
		t.Fatal("a command behind empty ones is not buffered")
	}
	if _, err := r.Next(); err != nil || r.Buffered() || r.Pending() != 0 {
		t.Fatal("after the last command", err)
	}
}

func TestGoesOnAfterTimeout(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	r := newAuthed(server, nil)
	sent := make(chan error, 1)
	go func() { _, err := client.Write([]byte("*1\r\n$4\r\nPI")); sent <- err }()
	if err := server.SetReadDeadline(time.Now().Add(30 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	r.Shrink() // keeps the half command
	if err := server.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go func() { _, err := client.Write([]byte("NG\r\n")); sent <- err }()
	if args, err := r.Next(); err != nil || string(args[0]) != "PING" {
		t.Fatal(args, err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

type oddReader struct {
	n   int
	err error
}

func (o oddReader) Read(p []byte) (int, error) { return copy(p, "PING\r\nPI"[:o.n]), o.err }

func TestOddSources(t *testing.T) {
	if _, err := newAuthed(oddReader{0, nil}, nil).Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("silent source: %v", err)
	}
	got, err := readAll(newAuthed(oddReader{8, io.EOF}, nil))
	if len(got) != 1 || err != io.ErrUnexpectedEOF {
		t.Errorf("error along with bytes: %q, %v", got, err)
	}
}

// TestAgreesWithRedcon compares well-formed pipelines with redcon's parser, which is right about those.
func TestAgreesWithRedcon(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var in []byte
		for range 1 + rng.IntN(20) {
			args := make([]string, 1+rng.IntN(8))
			for i := range args {
				b := make([]byte, rng.IntN(60))
				for j := range b {
					b[j] = byte(rng.Uint32())
				}
				args[i] = string(b)
			}
			in = append(in, encode(args)...)
		}
		var want [][]string
		for rest := in; len(rest) > 0; {
			complete, args, _, left, err := redcon.ReadNextCommand(rest, nil)
			if !complete || err != nil {
				t.Fatal(complete, err)
			}
			want = append(want, strs(args))
			rest = left
		}
		got, err := readAll(newAuthed(&chunks{data: in, sizes: []int{1 + rng.IntN(100)}}, nil))
		if err != io.EOF || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
}

func TestHTTPRequestIsInline(t *testing.T) {
	// Refusing POST and Host: is dispatch's duty; they must reach it as names.
	got, err := readAll(newAuthed(strings.NewReader("POST / HTTP/1.1\r\nHost: x\r\n\r\nSET a b\r\n"), nil))
	want := [][]string{{"POST", "/", "HTTP/1.1"}, {"Host:", "x"}, {"SET", "a", "b"}}
	if err != io.EOF || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
}
