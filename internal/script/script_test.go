package script

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

// toy is a target that answers a few commands itself.
type toy struct {
	opened int
	waited time.Duration
	calls  [][]string
}

func (t *toy) Open() (Conn, error) { t.opened++; return t, nil }

func (t *toy) Wait(d time.Duration) { t.waited += d }

func (t *toy) Close() error { return nil }

func (t *toy) Do(args ...string) (respclient.Value, error) {
	t.calls = append(t.calls, args)
	bulk := func(s string) respclient.Value { return respclient.Value{Kind: respclient.Bulk, Str: s} }
	switch args[0] {
	case "ECHO":
		return bulk(args[1]), nil
	case "LIST":
		return respclient.Value{Kind: respclient.Array, Elems: []respclient.Value{bulk("b"), bulk("a")}}, nil
	case "INT":
		return respclient.Value{Kind: respclient.Int, Int: 7}, nil
	case "BREAK":
		return respclient.Value{}, errors.New("broken")
	case "SCAN":
		page := map[string]respclient.Value{"0": bulk("9"), "9": bulk("0")}[args[1]]
		elems := []respclient.Value{bulk("k" + args[1]), bulk("both")}
		return respclient.Value{Kind: respclient.Array, Elems: []respclient.Value{page, {Kind: respclient.Array, Elems: elems}}}, nil
	}
	return respclient.Value{Kind: respclient.Simple, Str: "OK"}, nil
}

const example = `# an example

@db 3
> ECHO "a \"b\"\x00"
"a \"b\"\x00"
@conn b
@resp3
> LIST  ~unordered
["a", "b"]
> INT  ~int
(integer ~)
> INT
(integer) 7
@wait 20ms
> SCANALL MATCH x
["both", "k0", "k9"]
> ECHO {ab*200}
"abababababababababababababababab"... (400 bytes, crc32 3d42d1d1)
`

func TestRun(t *testing.T) {
	s, err := Parse("example", strings.NewReader(example))
	if err != nil {
		t.Fatal(err)
	}
	target := &toy{}
	res, err := s.Run(target)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("again", strings.NewReader(string(res.Rewritten)))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range res.Differences {
		if !strings.Contains(d.Want, "crc32") { // the sum is not worked out by hand
			t.Error(d)
		}
	}
	if res, err = again.Run(target); err != nil || len(res.Differences) != 0 {
		t.Errorf("the rewritten script: %v, %v", res.Differences, err)
	}
	if target.opened != 4 || target.waited != 40*time.Millisecond {
		t.Errorf("%d connections, %s", target.opened, target.waited)
	}
	if got := target.calls[1]; !slices.Equal(got, []string{"SELECT", "3"}) {
		t.Errorf("the first directive sends %q", got)
	}
	if got := s.Commands(); !slices.Contains(got, "scan") || !slices.Contains(got, "echo") {
		t.Errorf("commands %q", got)
	}
}

func TestRunReportsDifferences(t *testing.T) {
	s, err := Parse("x", strings.NewReader("> INT\n(integer) 8\n> LIST\n> BREAK\n"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Run(&toy{})
	if err == nil || !strings.Contains(err.Error(), "x:4: broken") {
		t.Errorf("error %v", err)
	}
	if len(res.Differences) != 2 || res.Differences[0].Got != "(integer) 7" || res.Differences[0].Line != 1 {
		t.Errorf("%v", res.Differences)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{
		"OK\n", "> GET k\nOK\nOK\n", "@bogus\n", "@db x\n", "@wait x\n", "@since x\n", "@since 7.-1\n", "> GET k  ~bogus\n", "> \n", "> GET \"k\n", "> GET {abcdefgh*99999999}\n",
	} {
		if _, err := Parse("x", strings.NewReader(in)); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestParseHeads(t *testing.T) {
	s, err := Parse("x", strings.NewReader("@server\n@needs rpush\n@since 7.4\n> KEYS {a*b}\n> X {*5}\n"))
	if err != nil || !s.Server || !slices.Equal(s.Needs, []string{"rpush"}) || s.Since != "7.4" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestNewer(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"7.4", "7.0.15", true}, {"7.4.0", "7.4", true}, {"8.0.0", "7.4.2", true}, {"7.10", "7.9.9", true},
		{"7.0.0", "7.0.15", false}, {"7.4", "7.4", false}, {"", "7.0.15", false}, {"7.4", "", false},
	} {
		if got := Newer(c.a, c.b); got != c.want {
			t.Errorf("%q is newer than %q: %t", c.a, c.b, got)
		}
	}
}

func TestRecorderShowsWhatAClientSees(t *testing.T) {
	write := func(r *Recorder) {
		r.Map(1)
		r.BulkString("k")
		r.Set(2)
		r.Double(1.5)
		r.Bool(true)
		r.NullArray()
		r.Push(1)
		r.Verbatim("txt", "t")
		r.Array(0)
		r.BigNumber("12")
		r.Error("ERR a\nb")
		r.Deferred()
		r.EndCall()
	}
	for proto, want := range map[int][]string{
		2: {`["k", ["1.5", 1]]`, `(nil array)`, `["t"]`, `[]`, `"12"`, `(error) ERR a b`, `DEFERRED`},
		3: {`{"k": #{(double) 1.5, (true)}}`, `(nil)`, `>[(txt) "t"]`, `[]`, `(big) 12`, `(error) ERR a b`, `DEFERRED`},
	} {
		r := &Recorder{Proto: proto}
		write(r)
		vs, ok := r.Take()
		var got []string
		for _, v := range vs {
			got = append(got, Render(v))
		}
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("protocol %d: %q, %t", proto, got, ok)
		}
	}
	r := &Recorder{}
	r.Array(2)
	r.Int(math.MaxInt64)
	if _, ok := r.Take(); ok {
		t.Error("half an array is complete")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("> {a*10000000000000000000}\n")
	f.Fuzz(func(t *testing.T, in string) {
		if strings.Contains(in, "*") && len(in) < 1<<16 {
			for _, w := range strings.FieldsFunc(in, func(r rune) bool { return r < '0' || r > '9' }) {
				if n, err := strconv.Atoi(w); err != nil || n > 1000 {
					t.Skip("a long repetition is slow, and allowed")
				}
			}
		}
		_, _ = Parse("x", strings.NewReader(in))
	})
}
