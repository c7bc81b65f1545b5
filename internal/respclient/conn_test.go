package respclient

import (
	"errors"
	"net"
	"reflect"
	"testing"
	"time"
)

// serve answers one connection with fixed bytes.
func serve(t *testing.T, answer string) *Conn {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = server.Write([]byte(answer))
		_ = server.Close()
	}()
	c := NewConn(client)
	c.Timeout = 5 * time.Second
	t.Cleanup(func() {
		_ = c.Close()
		_ = c.Close()
		<-done
	})
	return c
}

func TestReceiveReadsEveryType(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Value
	}{
		{"+OK\r\n", Value{Kind: Simple, Str: "OK"}},
		{"-ERR no\r\n", Value{Kind: Error, Str: "ERR no"}},
		{":-3\r\n", Value{Kind: Int, Int: -3}},
		{"$3\r\na\r\n\r\n", Value{Kind: Bulk, Str: "a\r\n"}},
		{"$0\r\n\r\n", Value{Kind: Bulk}},
		{"$-1\r\n", Value{Kind: Null}},
		{"_\r\n", Value{Kind: Null}},
		{"*-1\r\n", Value{Kind: NullArray}},
		{"*2\r\n:1\r\n*0\r\n", Value{Kind: Array, Elems: []Value{{Kind: Int, Int: 1}, {Kind: Array, Elems: []Value{}}}}},
		{"%1\r\n+k\r\n#t\r\n", Value{Kind: Map, Elems: []Value{{Kind: Simple, Str: "k"}, {Kind: Bool, Int: 1}}}},
		{"~1\r\n,1.5\r\n", Value{Kind: Set, Elems: []Value{{Kind: Double, Str: "1.5"}}}},
		{">1\r\n(12\r\n", Value{Kind: Push, Elems: []Value{{Kind: BigNumber, Str: "12"}}}},
		{"=6\r\ntxt:ab\r\n", Value{Kind: Verbatim, Format: "txt", Str: "ab"}},
		{"|1\r\n+k\r\n+v\r\n#f\r\n", Value{Kind: Bool}},
	} {
		got, err := serve(t, tc.in).Receive()
		if err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%q: %+v, %v", tc.in, got, err)
		}
	}
}

func TestReceiveRefusesWhatIsNoRESP(t *testing.T) {
	for _, in := range []string{
		"OK\r\n", "+OK\n", ":x\r\n", "$-2\r\n", "$3\r\nabcde", "*-2\r\n", "#x\r\n", "=2\r\nab\r\n", "\r\n",
		"$99999999999\r\n", "%-1\r\n",
	} {
		if v, err := serve(t, in).Receive(); !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: %+v, %v", in, v, err)
		}
	}
	if v, err := serve(t, "$5\r\nab").Receive(); err == nil {
		t.Errorf("a cut bulk: %+v", v)
	}
}

func TestDoKeepsPushes(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() {
		buf := make([]byte, 64)
		_, _ = server.Read(buf)
		_, _ = server.Write([]byte(">1\r\n+news\r\n+OK\r\n"))
	}()
	c := NewConn(client)
	v, err := c.Do("PING")
	if err != nil || v.Str != "OK" {
		t.Fatalf("%+v, %v", v, err)
	}
	if p := c.Pushes(); len(p) != 1 || p[0].Strings()[0] != "news" {
		t.Errorf("pushes %+v", p)
	}
	if p := c.Pushes(); p != nil {
		t.Errorf("pushes again: %+v", p)
	}
}

func TestAppendCommand(t *testing.T) {
	got := string(AppendCommand(nil, "SET", "k", ""))
	if want := "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n"; got != want {
		t.Errorf("%q", got)
	}
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte("*2\r\n$1\r\na\r\n%1\r\n+k\r\n:1\r\n"))
	f.Add([]byte("|1\r\n+k\r\n+v\r\n=6\r\ntxt:ab\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c := serve(t, string(in))
		for {
			if _, err := c.Receive(); err != nil {
				return
			}
		}
	})
}
