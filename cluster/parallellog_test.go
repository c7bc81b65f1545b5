package cluster

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"
)

// slowStore is a log store whose writes wait to be let go, or fail.
type slowStore struct {
	*raft.InmemStore
	let chan error
}

func (s *slowStore) StoreLogs(logs []*raft.Log) error {
	if err := <-s.let; err != nil {
		return err
	}
	return s.InmemStore.StoreLogs(logs)
}

func entry(index uint64, kind raft.LogType) []*raft.Log {
	return []*raft.Log{{Index: index, Term: 1, Type: kind, Data: []byte{byte(index)}}}
}

// lagging is a leader's log, with the entries 1 and 2 pending: 1 is being written.
type lagging struct {
	*parallelLog
	t        *testing.T
	below    *slowStore
	leading  bool
	failures chan error
}

// withLagging runs f in a bubble. The log's goroutine has ended when it returns.
func withLagging(t *testing.T, f func(t *testing.T, p *lagging)) {
	synctest.Test(t, func(t *testing.T) {
		p := &lagging{t: t, below: &slowStore{raft.NewInmemStore(), make(chan error)}, leading: true, failures: make(chan error, 2)}
		p.parallelLog = newParallelLog(p.below, func() bool { return p.leading }, func(err error) { p.failures <- err })
		ended := make(chan struct{})
		go func() { p.run(); close(ended) }()
		for i := uint64(1); i <= 2; i++ {
			p.store(i)
			synctest.Wait()
		}
		f(t, p)
		p.fail(errors.New("the test is over"))
		close(p.below.let) // a write under way
		<-ended
	})
}

func (p *lagging) store(index uint64) {
	p.t.Helper()
	if err := p.StoreLogs(entry(index, raft.LogCommand)); err != nil {
		p.t.Fatal(err)
	}
}

// begin calls f aside and returns where its end will be told. It must have to wait.
func (p *lagging) begin(what string, f func() error) <-chan error {
	p.t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	synctest.Wait()
	if len(done) > 0 {
		p.t.Errorf("%s did not wait: %v", what, <-done)
	}
	return done
}

// write lets one write go on, and all that follows from it.
func (p *lagging) write() {
	p.below.let <- nil
	synctest.Wait()
}

func (p *lagging) stored() uint64 {
	last, _ := p.below.LastIndex()
	return last
}

// TestParallelLogShowsPending: what is pending reads as stored, and is not counted as written.
func TestParallelLogShowsPending(t *testing.T) {
	withLagging(t, func(t *testing.T, p *lagging) {
		check := func(when string, stored, limit uint64) {
			t.Helper()
			first, err1 := p.FirstIndex()
			last, err2 := p.LastIndex()
			var l raft.Log
			if err := errors.Join(err1, err2, p.GetLog(2, &l)); err != nil || first != 1 || last != 2 || l.Index != 2 {
				t.Errorf("%s: %d to %d, entry %d: %v", when, first, last, l.Index, err)
			}
			if p.stored() != stored || p.limit(9) != limit {
				t.Errorf("%s: the store ends at %d, the limit is %d", when, p.stored(), p.limit(9))
			}
		}
		check("at first", 0, 0)
		one, two := p.begin("written(1)", func() error { return p.written(1) }), p.begin("written(2)", func() error { return p.written(2) })
		p.write()
		check("after one", 1, 1)
		if err := <-one; err != nil || len(two) > 0 {
			t.Errorf("entry 1 is written: %v, %d", err, len(two))
		}
		p.write()
		check("after both", 2, 9)
		if err := errors.Join(<-two, p.catchUp()); err != nil {
			t.Error(err)
		}
	})
}

// TestParallelLogOrder: what is no leader's client entry is written at once, and everything before it.
func TestParallelLogOrder(t *testing.T) {
	for name, tt := range map[string]struct {
		follower bool
		kind     raft.LogType
	}{
		"a leader's configuration": {false, raft.LogConfiguration},
		"a term's first entry":     {false, raft.LogNoop},
		"a follower's entry":       {true, raft.LogCommand},
	} {
		t.Run(name, func(t *testing.T) {
			withLagging(t, func(t *testing.T, p *lagging) {
				p.leading = !tt.follower
				done := p.begin(name, func() error { return p.StoreLog(entry(3, tt.kind)[0]) })
				for stored := uint64(1); stored <= 3; stored++ {
					if len(done) > 0 {
						t.Fatal("it did not wait for all before it, and for itself")
					}
					p.write()
					if p.stored() != stored {
						t.Fatalf("the store ends at %d, not at %d", p.stored(), stored)
					}
				}
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestParallelLogBatch: what has gathered behind a write goes in one.
func TestParallelLogBatch(t *testing.T) {
	withLagging(t, func(t *testing.T, p *lagging) {
		p.store(3)
		p.store(4)
		p.write()
		p.write()
		if p.stored() != 4 {
			t.Errorf("after two writes the store ends at %d", p.stored())
		}
	})
}

// TestParallelLogTruncation: entries are written before they are deleted; those that are not deleted are not waited for.
func TestParallelLogTruncation(t *testing.T) {
	withLagging(t, func(t *testing.T, p *lagging) {
		p.write()
		if err := p.DeleteRange(1, 1); err != nil {
			t.Error(err)
		}
		done := p.begin("a truncation", func() error { return p.DeleteRange(2, 2) })
		p.write()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if last, _ := p.LastIndex(); last != 0 {
			t.Errorf("the log ends at %d", last)
		}
	})
}

// TestParallelLogCatchUp: what comes later is not waited for.
func TestParallelLogCatchUp(t *testing.T) {
	withLagging(t, func(t *testing.T, p *lagging) {
		done := p.begin("catchUp", p.catchUp)
		p.store(3)
		p.write()
		if len(done) > 0 {
			t.Error("entry 2 was pending, too")
		}
		p.store(4)
		p.write() // 2 and 3
		if err := <-done; err != nil || p.stored() != 3 {
			t.Errorf("%v, the store ends at %d", err, p.stored())
		}
	})
}

// TestParallelLogFailure: a failed write is told, nothing after it is accepted, and nothing pending is let go.
func TestParallelLogFailure(t *testing.T) {
	broken := errors.New("input/output error")
	for name, fail := range map[string]func(p *lagging){
		"of the write": func(p *lagging) {
			p.below.let <- broken
			if err := <-p.failures; !errors.Is(err, broken) {
				p.t.Errorf("told of %v", err)
			}
		},
		"from outside": func(p *lagging) {
			p.fail(broken)
			p.write() // the disk has come back: too late
			if p.stored() != 1 {
				p.t.Fatal("nothing was written")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			withLagging(t, func(t *testing.T, p *lagging) {
				waiting := p.begin("written", func() error { return p.written(1) })
				fail(p)
				for what, f := range map[string]func() error{
					"a wait before":   func() error { return <-waiting },
					"a wait after":    func() error { return p.written(1) },
					"a message":       p.catchUp,
					"a client entry":  func() error { return p.StoreLogs(entry(3, raft.LogCommand)) },
					"another entry":   func() error { return p.StoreLogs(entry(3, raft.LogNoop)) },
					"a truncation":    func() error { return p.DeleteRange(2, 2) },
					"a wait for none": func() error { return p.written(0) },
				} {
					if err := f(); !errors.Is(err, broken) {
						t.Errorf("%s: %v", what, err)
					}
				}
				if got := p.limit(9); got != 0 {
					t.Errorf("the limit is %d", got)
				}
			})
		})
	}
}

// TestParallelLogIsBounded: with much pending StoreLogs waits.
func TestParallelLogIsBounded(t *testing.T) {
	for name, tt := range map[string]struct{ entryBytes, entries int }{
		"entries": {1, pendingEntriesMax}, "bytes": {pendingBytesMax / 4, 4 + 2},
	} {
		t.Run(name, func(t *testing.T) {
			withLagging(t, func(t *testing.T, p *lagging) {
				next := uint64(3)
				store := func() error {
					l := &raft.Log{Index: next, Term: 1, Data: make([]byte, tt.entryBytes)}
					next++
					return p.StoreLog(l)
				}
				for range tt.entries - 2 {
					if err := store(); err != nil {
						t.Fatal(err)
					}
				}
				done := p.begin("one more", store)
				p.write() // entry 1
				if tt.entryBytes > 1 {
					if len(done) > 0 {
						t.Error("the room of a small entry let a large one in")
					}
					p.write() // the others
				}
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestParallelLogStop: what is pending is written before the log's goroutine ends.
func TestParallelLogStop(t *testing.T) {
	withLagging(t, func(t *testing.T, p *lagging) {
		p.stop()
		p.write()
		p.write()
		if p.stored() != 2 {
			t.Errorf("the store ends at %d", p.stored())
		}
		select {
		case p.below.let <- nil:
			t.Error("there is another write")
		default:
		}
	})
}

// TestCommitIndexesSent: no message tells of a commit beyond what is written here.
func TestCommitIndexesSent(t *testing.T) {
	withLagging(t, func(t *testing.T, p *lagging) {
		sent := &sentMessages{}
		trans := guardedTransport{peerTransport: sent, logs: p.parallelLog}
		pipe, err := trans.AppendEntriesPipeline("n", "a")
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			err1 := trans.AppendEntries("n", "a", &raft.AppendEntriesRequest{LeaderCommitIndex: 2}, nil)
			_, err2 := pipe.AppendEntries(&raft.AppendEntriesRequest{LeaderCommitIndex: 2}, nil)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			if len(sent.commits) < 6 {
				p.write()
			}
		}
		if err := pipe.Close(); err != nil {
			t.Error(err)
		}
		if want := []uint64{0, 0, 1, 1, 2, 2}; !slices.Equal(sent.commits, want) {
			t.Errorf("told of the commits %d, not %d", sent.commits, want)
		}
	})
}

// sentMessages is a transport, and a pipeline, that keeps the commit indexes.
type sentMessages struct {
	peerTransport
	commits []uint64
}

func (s *sentMessages) AppendEntries(_ raft.ServerID, _ raft.ServerAddress, req *raft.AppendEntriesRequest, _ *raft.AppendEntriesResponse) error {
	s.commits = append(s.commits, req.LeaderCommitIndex)
	return nil
}

func (s *sentMessages) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return sentPipeline{s}, nil
}

type sentPipeline struct{ s *sentMessages }

func (p sentPipeline) AppendEntries(req *raft.AppendEntriesRequest, _ *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	return nil, p.s.AppendEntries("", "", req, nil)
}

func (sentPipeline) Consumer() <-chan raft.AppendFuture { return nil }
func (sentPipeline) Close() error                       { return nil }
