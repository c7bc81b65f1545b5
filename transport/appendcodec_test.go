package transport

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// fullRequest has something in every field.
func fullRequest() *raft.AppendEntriesRequest {
	a := &raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: 3, ID: []byte("n1"), Addr: []byte("10.0.0.1:7379")},
		Term:      7, PrevLogEntry: 41, PrevLogTerm: 6, LeaderCommitIndex: 40,
		Entries: []*raft.Log{
			{Index: 42, Term: 7, Type: raft.LogCommand, Data: []byte("data"), Extensions: []byte("ext"),
				AppendedAt: time.Date(2026, 11, 22, 20, 15, 14, 987654321, time.UTC)},
			{Index: 43, Term: 7, Type: raft.LogConfiguration, Data: bytes.Repeat([]byte("large"), appendDirectBytes), Extensions: []byte("e"),
				AppendedAt: time.Unix(1, 0).UTC()},
			{Index: 44, Term: 7, Type: raft.LogBarrier},
		},
	}
	*leaderOf(a) = []byte("10.0.0.1:7380")
	return a
}

func fullAnswer() *raft.AppendEntriesResponse {
	return &raft.AppendEntriesResponse{
		RPCHeader: raft.RPCHeader{ProtocolVersion: 3, ID: []byte("n2"), Addr: []byte("10.0.0.2:7379")},
		Term:      7, LastLog: 44, Success: true, NoRetryBackoff: true,
	}
}

func requestBytes(t testing.TB, a *raft.AppendEntriesRequest) []byte {
	t.Helper()
	var w appendWriter
	if err := w.request(a); err != nil {
		t.Fatal(err)
	}
	return written(t, &w)
}

func answerBytes(t testing.TB, a *raft.AppendEntriesResponse, text string) []byte {
	t.Helper()
	var w appendWriter
	if err := w.answer(a, text); err != nil {
		t.Fatal(err)
	}
	return written(t, &w)
}

// sink is a connection that keeps what is written to it.
type sink struct {
	net.Conn
	bytes.Buffer
	writes int
}

func (s *sink) Write(b []byte) (int, error) { s.writes++; return s.Buffer.Write(b) }
func (s *sink) Read(b []byte) (int, error)  { return s.Buffer.Read(b) }

func written(t testing.TB, w *appendWriter) []byte {
	t.Helper()
	var s sink
	if err := w.writeTo(&s); err != nil {
		t.Fatal(err)
	}
	return s.Bytes()
}

func never() error { return errors.New("nothing has a deadline here") }

// TestAppendFieldsAreAllThere fails when raft gets a field that the round trips below say nothing of.
func TestAppendFieldsAreAllThere(t *testing.T) {
	a := fullRequest()
	for _, v := range []any{*a, a.RPCHeader, *a.Entries[1], *fullAnswer(), fullAnswer().RPCHeader} {
		for i := range reflect.TypeOf(v).NumField() {
			if reflect.ValueOf(v).Field(i).IsZero() {
				t.Errorf("%T.%s is not tried", v, reflect.TypeOf(v).Field(i).Name)
			}
		}
	}
}

func TestAppendRequestRoundTrip(t *testing.T) {
	zero := &raft.AppendEntriesRequest{Entries: []*raft.Log{{}}} // the zero time, too
	beat := &raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: 3}, Term: 1, Entries: []*raft.Log{}}
	var w appendWriter
	var s sink
	in := newAppendReader(&s)
	for _, want := range []*raft.AppendEntriesRequest{fullRequest(), zero, beat, fullRequest()} {
		if err := w.request(want); err != nil {
			t.Fatal(err)
		}
		if err := w.writeTo(&s); err != nil {
			t.Fatal(err)
		}
		got, err := in.request()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if l := got.Entries; len(l) > 0 && l[0].AppendedAt.IsZero() != want.Entries[0].AppendedAt.IsZero() {
			t.Error("a zero time is not zero any more, or the other way round")
		}
	}
	if _, err := in.request(); err != io.EOF {
		t.Error(err)
	}
}

func TestAppendAnswerRoundTrip(t *testing.T) {
	long := strings.Repeat("é", appendErrorBytesMax)
	refused := fullAnswer()
	refused.Success = false
	none := &raft.AppendEntriesResponse{}
	for _, c := range []struct {
		in   *raft.AppendEntriesResponse
		text string
		want *raft.AppendEntriesResponse
		told string
	}{
		{fullAnswer(), "", fullAnswer(), ""},
		{none, "", none, ""},
		{none, "no room", none, "no room"},
		{fullAnswer(), "an error is no success", refused, "an error is no success"},
		{none, "x" + long, none, "x" + long[:appendErrorBytesMax-2]}, // not within a character
	} {
		a, err := newAppendReader(bytes.NewReader(answerBytes(t, c.in, c.text))).answer(never)
		if err != nil {
			t.Fatal(err)
		}
		if a.text != c.told || a.resp.Term != c.want.Term || a.resp.LastLog != c.want.LastLog || a.resp.Success != c.want.Success ||
			a.resp.NoRetryBackoff != c.want.NoRetryBackoff || a.resp.ProtocolVersion != c.want.ProtocolVersion ||
			!bytes.Equal(a.resp.ID, c.want.ID) || !bytes.Equal(a.resp.Addr, c.want.Addr) {
			t.Errorf("%+v and %q became %+v and %q", c.in, c.text, a.resp, a.text)
		}
	}
}

// TestAppendFormat holds the bytes of version 1: nodes of two releases speak to each other.
func TestAppendFormat(t *testing.T) {
	a := fullRequest()
	a.Entries = a.Entries[:1]
	for what, c := range map[string]struct {
		got  []byte
		want string
	}{
		"request": {requestBytes(t, a), "74000000" + "01" + "03" + "0700000000000000" + "2900000000000000" + "0600000000000000" +
			"2800000000000000" + "01000000" + "02006e31" + "0d0031302e302e302e313a37333739" + "0d0031302e302e302e313a37333830" +
			"2a00000000000000" + "0700000000000000" + "00" + "524d036b00000000" + "b168de3a" + "04000000" + "03000000" + "64617461" + "657874"},
		"answer": {answerBytes(t, fullAnswer(), ""), "28000000" + "01" + "03" + "03" + "0700000000000000" + "2c00000000000000" +
			"02006e32" + "0d0031302e302e302e323a37333739" + "0000"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", what, got, c.want)
		}
	}
}

func TestTornAppendMessages(t *testing.T) {
	a := fullRequest()
	a.Entries = a.Entries[:1]
	request, answer := requestBytes(t, a), answerBytes(t, fullAnswer(), "")
	for n := range request {
		if _, err := newAppendReader(bytes.NewReader(request[:n])).request(); err != io.ErrUnexpectedEOF && (n > 0 || err != io.EOF) {
			t.Errorf("%d bytes of a request: %v", n, err)
		}
	}
	for n := range answer {
		if _, err := newAppendReader(bytes.NewReader(answer[:n])).answer(never); err != io.ErrUnexpectedEOF && (n > 0 || err != io.EOF) {
			t.Errorf("%d bytes of an answer: %v", n, err)
		}
	}
	for n := range len(request) - appendHeaderBytes { // cut, and the length says so
		cut := bytes.Clone(request[:appendHeaderBytes+n])
		binary.LittleEndian.PutUint32(cut, uint32(1+n))
		if _, err := newAppendReader(bytes.NewReader(cut)).request(); !errors.Is(err, ErrProtocol) {
			t.Errorf("a request of %d bytes: %v", n, err)
		}
	}
	for n := range len(answer) - appendHeaderBytes {
		cut := bytes.Clone(answer[:appendHeaderBytes+n])
		binary.LittleEndian.PutUint32(cut, uint32(1+n))
		if _, err := newAppendReader(bytes.NewReader(cut)).answer(never); !errors.Is(err, ErrProtocol) {
			t.Errorf("an answer of %d bytes: %v", n, err)
		}
	}
}

// at returns b with the bytes at an offset replaced.
func at(b []byte, offset int, with ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[offset:], with)
	return b
}

func TestMalformedAppendMessages(t *testing.T) {
	a := fullRequest()
	a.Entries = a.Entries[:1]
	request, answer := requestBytes(t, a), answerBytes(t, fullAnswer(), "")
	a.Entries = append(a.Entries, &raft.Log{Data: make([]byte, 20)})
	two := requestBytes(t, a)
	entry := len(request) - appendEntryBytes - len("dataext")
	names := appendHeaderBytes + appendRequestBytes
	for _, c := range []struct {
		bytes []byte
		text  string
	}{
		{at(request, 0, 0, 0, 0, 0), "length 0"},
		{at(request, 0, 0xff, 0xff, 0xff, 0xff), "at most"},
		{at(request, 4, 2), "version 2, this node speaks version 1"},
		{at(request, names-4, 2), "2 entries in"},
		{at(two, entry+29, 30), "an entry is cut short"},
		{at(request, names-4, 0), "behind the last"},
		{at(request, names, 0xff, 0xff), "a name of 65535 bytes"},
		{at(request, names, 0xff, 0x03), "a name is cut short"},
		{at(request, entry+25, 0, 0xca, 0x9a, 0x3b), "nanoseconds"},
		{at(request, entry+29, 0xff, 0xff, 0xff, 0xff), "4294967295 bytes of data"},
		{at(request, entry+33, 4), "4 of extensions where 7 are left"},
		{at(request, entry+33, 2), "1 bytes behind the last"},
	} {
		_, err := newAppendReader(bytes.NewReader(c.bytes)).request()
		wantErr(t, err, ErrProtocol, c.text)
	}
	for _, c := range []struct {
		bytes []byte
		text  string
	}{
		{at(answer, 0, 0xff, 0xff), "at most"},
		{at(answer, 4, 9), "version 9"},
		{at(answer, 6, 4), "unknown flags 0x4"},
		{at(answer, appendHeaderBytes+appendAnswerBytes, 1), "an answer is cut short"},
		{append(at(answer, 0, byte(len(answer)-4+1)), 0), "1 bytes behind an answer"},
		{append(at(at(answer, 0, byte(len(answer)-4+1)), len(answer)-2, 1), 'x'), "success and error"},
	} {
		_, err := newAppendReader(bytes.NewReader(c.bytes)).answer(never)
		wantErr(t, err, ErrProtocol, c.text)
	}
}

// TestClaimedLengthsCostNothing: memory follows the bytes that have come.
func TestClaimedLengthsCostNothing(t *testing.T) {
	a := fullRequest()
	a.Entries = []*raft.Log{{Data: []byte("data")}}
	b := requestBytes(t, a)
	const claimed = AppendBytesMax - 1<<10
	binary.LittleEndian.PutUint32(b, claimed)
	binary.LittleEndian.PutUint32(b[len(b)-len("data")-8:], claimed-512)
	many := at(requestBytes(t, &raft.AppendEntriesRequest{}), appendHeaderBytes+appendRequestBytes-4, 0xff, 0xff, 0xb0, 1)
	binary.LittleEndian.PutUint32(many, AppendBytesMax-4)
	for what, b := range map[string][]byte{"data": b, "entries": many} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := newAppendReader(bytes.NewReader(b)).request(); err != io.ErrUnexpectedEOF {
			t.Errorf("%s: %v", what, err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 2*appendStepBytes {
			t.Errorf("%s: %d bytes for a message of %d that claims %d", what, n, len(b), claimed)
		}
	}
}

func TestAppendMessagesThatCannotBe(t *testing.T) {
	var w appendWriter
	large := &raft.Log{Data: make([]byte, 32<<20)}
	most := &raft.AppendEntriesRequest{}
	for range 32 {
		most.Entries = append(most.Entries, large)
	}
	if err := w.request(most); err != nil {
		t.Error("32 entries of 32 MiB:", err)
	}
	most.Entries = append(most.Entries, large)
	wantErr(t, w.request(most), ErrTooLarge, "33 entries")
	name := make([]byte, appendNameBytesMax+1)
	long := &raft.AppendEntriesRequest{}
	*leaderOf(long) = name
	wantErr(t, w.request(long), ErrTooLarge, "1025")
	wantErr(t, w.request(&raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ID: name}}), ErrTooLarge, "1025")
	wantErr(t, w.answer(&raft.AppendEntriesResponse{RPCHeader: raft.RPCHeader{Addr: name}}, ""), ErrTooLarge, "1025")
	for _, v := range []raft.ProtocolVersion{-1, 256} {
		if err := w.request(&raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: v}}); err == nil {
			t.Error("protocol version", v)
		}
	}
}

// TestAppendIsOneWrite: what fits a buffer costs one call of the system, and large data is not copied on its way.
func TestAppendIsOneWrite(t *testing.T) {
	var w appendWriter
	var s sink
	small := fullRequest()
	small.Entries = small.Entries[:1]
	if err := errors.Join(w.request(small), w.writeTo(&s)); err != nil || s.writes != 1 {
		t.Error(s.writes, "writes", err)
	}
	large := fullRequest()
	if err := w.request(large); err != nil {
		t.Fatal(err)
	}
	if len(w.cuts) != 1 || &w.cuts[0].data[0] != &large.Entries[1].Data[0] {
		t.Error("large data was copied")
	}
	if err := w.request(small); err != nil || w.cuts[:1][0].data != nil {
		t.Error("the last message's data is held")
	}
}

func FuzzAppendRequest(f *testing.F) {
	f.Add(requestBytes(f, fullRequest()))
	f.Add(append(requestBytes(f, &raft.AppendEntriesRequest{}), requestBytes(f, &raft.AppendEntriesRequest{Term: 1, Entries: []*raft.Log{{}}})...))
	f.Add([]byte{0xff, 0xff, 0xff, 0x3f, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		in := newAppendReader(bytes.NewReader(b))
		var again []byte
		for {
			a, err := in.request()
			if err == nil {
				again = append(again, requestBytes(t, a)...)
				continue
			}
			if err != io.EOF && err != io.ErrUnexpectedEOF && !errors.Is(err, ErrProtocol) {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(b, again) || err == io.EOF && len(again) != len(b) {
				t.Fatalf("%x is read as %x", b, again)
			}
			return
		}
	})
}

func FuzzAppendAnswer(f *testing.F) {
	f.Add(answerBytes(f, fullAnswer(), ""))
	f.Add(append(answerBytes(f, &raft.AppendEntriesResponse{}, "no"), answerBytes(f, fullAnswer(), "")...))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		in := newAppendReader(bytes.NewReader(b))
		var again []byte
		for {
			a, err := in.answer(never)
			if err == nil {
				again = append(again, answerBytes(t, &a.resp, a.text)...)
				continue
			}
			if err != io.EOF && err != io.ErrUnexpectedEOF && !errors.Is(err, ErrProtocol) {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(b, again) || err == io.EOF && len(again) != len(b) {
				t.Fatalf("%x is read as %x", b, again)
			}
			return
		}
	})
}
