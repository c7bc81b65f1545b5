package simtest

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/transport"
)

// TestPipelineWithoutReader: the rule for transports that cluster/pipeline.go states. Raft's sender is never stuck because
// raft's reader has gone.
func TestPipelineWithoutReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(func(string, ...any) {})
		w := newNetwork(1, l)
		var ends []*endpoint
		for _, id := range []string{"a", "b"} {
			e := &endpoint{
				ledger: l, id: id, addr: id, timeout: time.Second, book: cluster.NewAddressBook(), clock: &Clock{},
				verify:   func(transport.Identity) error { return nil },
				identity: func() transport.Identity { return transport.Identity{NodeID: id} },
			}
			if err := w.listen(e); err != nil {
				t.Fatal(err)
			}
			ends = append(ends, e)
		}
		go func() {
			for {
				select {
				case rpc := <-ends[1].consumer:
					rpc.Respond(&raft.AppendEntriesResponse{Success: true}, nil)
				case <-ends[1].stopped:
					return
				}
			}
		}()
		p, err := raftTransport{e: ends[0]}.AppendEntriesPipeline("b", "b")
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			if _, err = p.AppendEntries(&raft.AppendEntriesRequest{Term: 1}, &raft.AppendEntriesResponse{}); err != nil {
				break
			}
		}
		if !errors.Is(err, raft.ErrPipelineShutdown) {
			t.Error(err)
		}
		_ = p.Close()
		for _, e := range ends {
			e.stop()
		}
		w.close()
	})
}
