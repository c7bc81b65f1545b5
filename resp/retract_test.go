package resp

import (
	"reflect"
	"testing"
)

// TestRetract takes back the second of three calls of a transaction, between places that the connection fills in.
func TestRetract(t *testing.T) {
	for name, write := range map[string]func(w *Writer){
		"nothing":       func(*Writer) {},
		"half an array": func(w *Writer) { w.Array(3); w.Int(1); w.Map(2); w.BulkString("k") },
		"a whole reply": func(w *Writer) { w.BulkString("done") },
		"errors":        func(w *Writer) { w.Array(2); w.Error("WRONGTYPE no"); w.Error("OOM no") },
		"a place":       func(w *Writer) { w.Deferred(); w.Int(1); w.Deferred() },
	} {
		w := NewWriter()
		w.Array(5)
		w.BeginCall()
		w.Error("ERR first")
		w.EndCall()
		w.Deferred()
		w.BeginCall()
		write(w)
		w.Retract()
		w.Error("PANIC second")
		w.EndCall()
		w.Deferred()
		w.BeginCall()
		w.Int(3)
		w.EndCall()
		if got := w.TakeCalls(nil); !reflect.DeepEqual(got, []string{"ERR", "PANIC", ""}) {
			t.Errorf("%s: the calls ended with %q", name, got)
		}
		w.FillDeferred(func(int) { w.Simple("PONG") })
		if got := string(w.Bytes()); got != "*5\r\n-ERR first\r\n+PONG\r\n-PANIC second\r\n+PONG\r\n:3\r\n" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestRetractAfterTakeCalls: errors that were taken are not taken again.
func TestRetractAfterTakeCalls(t *testing.T) {
	w := NewWriter()
	w.Error("ERR taken")
	w.EndCall()
	w.TakeCalls(nil)
	w.BeginCall()
	w.Error("OOM retracted")
	w.Retract()
	w.Error("ERR stays")
	w.EndCall()
	if got := w.TakeCalls(nil); !reflect.DeepEqual(got, []string{"ERR"}) || string(w.Bytes()) != "-ERR taken\r\n-ERR stays\r\n" {
		t.Errorf("%q, %q", got, w.Bytes())
	}
}

// TestRetractAcrossASwitch: what is taken back takes its switch of the protocol with it.
func TestRetractAcrossASwitch(t *testing.T) {
	w := NewWriter()
	w.SwitchAtMarks([]int{0, RESP3})
	w.Deferred()
	w.Null()
	w.BeginCall()
	w.Deferred()
	w.Null()
	w.Retract()
	w.Null()
	at := w.Len()
	w.Deferred()
	w.Null()
	w.Truncate(at)
	w.Null()
	w.Deferred()
	w.Null()
	w.Deferred() // more than was said: nothing changes
	w.Null()
	w.SwitchAtMarks(nil)
	w.Null()
	if got := string(w.Bytes()); got != "$-1\r\n$-1\r\n$-1\r\n_\r\n_\r\n$-1\r\n" {
		t.Errorf("%q", got)
	}
}
