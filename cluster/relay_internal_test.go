package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
)

func TestRelayAnswer(t *testing.T) {
	for _, e := range []relayEnd{
		{outcome: command.Applied, index: 1 << 40},
		{outcome: command.Refused, err: ErrNotLeader, again: true},
		{outcome: command.Refused, err: fmt.Errorf("%w: 3 bytes are left", command.ErrNoRoom)},
		{outcome: command.Unknown, err: ErrLeadershipLost},
		{outcome: command.Unknown, err: errors.New("something else")},
	} {
		got := decodeRelayEnd(e.encode())
		if got.outcome != e.outcome || got.index != e.index || got.again != e.again || (got.err == nil) != (e.err == nil) {
			t.Errorf("%+v came back as %+v", e, got)
		}
		if e.err == nil {
			continue
		}
		for _, kind := range relayErrors[1:] {
			if errors.Is(e.err, kind) != errors.Is(got.err, kind) || e.err.Error() != got.err.Error() {
				t.Errorf("%v came back as %v", e.err, got.err)
			}
		}
	}
	good := relayEnd{outcome: command.Applied, index: 7}.encode()
	for n := range good {
		if e := decodeRelayEnd(good[:n]); e.outcome != command.Unknown || e.err == nil {
			t.Errorf("%d bytes: %+v", n, e)
		}
	}
	for _, first := range []byte{0, 9, 255} {
		b := bytes.Clone(good)
		b[0], b[2] = first, first
		if e := decodeRelayEnd(b); e.outcome != command.Unknown || e.err == nil {
			t.Errorf("%x: %+v", b, e)
		}
	}
}
