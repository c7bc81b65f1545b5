package transport

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

const pipeTimeout = 3 * time.Second

// scene is a pipeline whose peer is played by the test, in a bubble of its own time.
type scene struct {
	*testing.T
	p    *appendPipeline
	peer net.Conn
	in   *appendReader
}

func playScene(t *testing.T, inFlightMax int, play func(s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg, err := Config{Self: func() Identity { return Identity{} }}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		tr := newTransport(cfg, nil, &failingListener{}, "x")
		here, there := net.Pipe()
		p, err := startAppendPipeline(&stream{Conn: here, raw: here, t: tr, purpose: purposeAppend}, pipeTimeout, inFlightMax)
		if err != nil {
			t.Fatal(err)
		}
		play(&scene{t, p, there, newAppendReader(there)})
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		_, _ = there.Close(), tr.Close()
	})
}

// send begins AppendEntries; the channel has its error when it returns.
func (s *scene) send(term uint64) (raft.AppendFuture, <-chan error) {
	returned := make(chan error, 1)
	f := make(chan raft.AppendFuture, 1)
	go func() {
		sent, err := s.p.AppendEntries(&raft.AppendEntriesRequest{Term: term}, &raft.AppendEntriesResponse{})
		f <- sent
		returned <- err
	}()
	synctest.Wait()
	select {
	case sent := <-f:
		return sent, returned
	default:
		return nil, returned
	}
}

func (s *scene) take(term uint64) {
	s.Helper()
	if a, err := s.in.request(); err != nil || a.Term != term {
		s.Fatal(a, err)
	}
}

func (s *scene) answer(b []byte) {
	s.Helper()
	if _, err := s.peer.Write(b); err != nil {
		s.Fatal(err)
	}
	synctest.Wait()
}

func (s *scene) yes(term uint64) []byte {
	return answerBytes(s, &raft.AppendEntriesResponse{Term: term, Success: true}, "")
}

// serve answers every request, until the stream ends.
func (s *scene) serve(answer []byte) {
	go func() {
		for {
			if _, err := s.in.request(); err != nil {
				return
			}
			if _, err := s.peer.Write(answer); err != nil {
				return
			}
		}
	}()
}

// waits fails unless AppendEntries has not returned.
func (s *scene) waits(returned <-chan error) {
	s.Helper()
	synctest.Wait()
	select {
	case err := <-returned:
		s.Fatal("it has returned", err)
	default:
	}
}

// TestPipelineDepth: AppendEntries returns when there is room for another in flight, as raft's own does.
func TestPipelineDepth(t *testing.T) {
	playScene(t, 2, func(s *scene) {
		sent := make(chan struct{})
		go func() { // takes what is sent, says nothing
			for term := range uint64(2) {
				s.take(term + 1)
			}
			close(sent)
		}()
		_, first := s.send(1)
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		_, second := s.send(2)
		s.waits(second)
		<-sent
		s.answer(s.yes(1))
		if err := <-second; err != nil {
			t.Fatal(err)
		}
		f := <-s.p.Consumer()
		if f.Request().Term != 1 || f.Error() != nil || !f.Response().Success || f.Response().Term != 1 || f.Start().IsZero() {
			t.Errorf("%+v %v", f.Response(), f.Error())
		}
	})
}

// TestPipelineEndsAtARefusal: raft takes no answer after the first refusal, and must not be waited for.
func TestPipelineEndsAtARefusal(t *testing.T) {
	for name, refusal := range map[string][]byte{
		"no success":    answerBytes(t, &raft.AppendEntriesResponse{Term: 1, LastLog: 3}, ""),
		"a newer term":  answerBytes(t, &raft.AppendEntriesResponse{Term: 2, Success: true}, ""),
		"raft's error":  answerBytes(t, &raft.AppendEntriesResponse{}, "no room"),
		"not an answer": {1, 0, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			playScene(t, 2, func(s *scene) {
				go func() { s.take(1); s.take(1) }()
				f, first := s.send(1)
				_, second := s.send(1)
				s.waits(second)
				s.answer(refusal)
				if err := <-first; err != nil {
					t.Error(err)
				}
				if err := <-second; err == nil {
					t.Error("the second came through")
				}
				for range 10 {
					if _, err := s.p.AppendEntries(&raft.AppendEntriesRequest{Term: 1}, &raft.AppendEntriesResponse{}); err == nil {
						t.Error("another came through")
					}
				}
				if f.Error() == nil && f.Response().Success && f.Response().Term == 1 {
					t.Error("no refusal")
				}
			})
		})
	}
}

// TestPipelineWithoutReader: raft's sender is never stuck because raft's reader has gone, nor is its Close.
func TestPipelineWithoutReader(t *testing.T) {
	playScene(t, 2, func(s *scene) {
		s.serve(s.yes(1))
		for n := range 2 * appendUntakenMax {
			_, err := s.p.AppendEntries(&raft.AppendEntriesRequest{Term: 1}, &raft.AppendEntriesResponse{})
			if errors.Is(err, raft.ErrPipelineShutdown) && n > appendUntakenMax {
				return
			}
			if err != nil {
				t.Fatal(n, err)
			}
		}
		t.Error("the answers are kept without end")
	})
}

func TestPipelineCloseInFlight(t *testing.T) {
	t.Run("waiting for room", func(t *testing.T) {
		playScene(t, 2, func(s *scene) {
			go func() { s.take(1); s.take(2) }()
			f, _ := s.send(1)
			_, second := s.send(2)
			s.waits(second)
			if err := s.p.Close(); err != nil {
				t.Error(err)
			}
			wantErr(t, <-second, raft.ErrPipelineShutdown, "")
			if f.Error() == nil || f.Response().Success {
				t.Error("what was in flight has not failed")
			}
		})
	})
	t.Run("writing", func(t *testing.T) {
		playScene(t, 2, func(s *scene) {
			_, first := s.send(1)
			s.waits(first)
			_ = s.p.Close()
			wantErr(t, <-first, raft.ErrPipelineShutdown, "")
		})
	})
	t.Run("twice, idle", func(t *testing.T) {
		playScene(t, 2, func(s *scene) {
			_, _ = s.p.Close(), s.p.Close()
			_, sent := s.send(1)
			wantErr(t, <-sent, raft.ErrPipelineShutdown, "")
		})
	})
}

func TestPipelineDeadlines(t *testing.T) {
	t.Run("a peer that does not read", func(t *testing.T) {
		playScene(t, 2, func(s *scene) {
			begin := time.Now()
			_, sent := s.send(1)
			wantErr(t, <-sent, ErrTimeout, "")
			if took := time.Since(begin); took != pipeTimeout {
				t.Error(took)
			}
		})
	})
	t.Run("a peer that does not answer", func(t *testing.T) {
		playScene(t, 2, func(s *scene) {
			time.Sleep(pipeTimeout / 2) // the deadline counts from the request
			begin := time.Now()
			go func() { s.take(1) }()
			f, _ := s.send(1)
			wantErr(t, f.Error(), ErrTimeout, "")
			if took := time.Since(begin); took != pipeTimeout {
				t.Error(took)
			}
			select {
			case <-s.p.Consumer():
				t.Error("raft takes it for a sign of life")
			default:
			}
		})
	})
	t.Run("the second counts from the first's answer", func(t *testing.T) {
		playScene(t, 3, func(s *scene) {
			go func() { s.take(1); s.take(2) }()
			_, _ = s.send(1)
			second, _ := s.send(2)
			time.Sleep(pipeTimeout - time.Second)
			s.answer(s.yes(1))
			begin := time.Now()
			wantErr(t, second.Error(), ErrTimeout, "")
			if took := time.Since(begin); took != pipeTimeout {
				t.Error(took)
			}
		})
	})
	t.Run("idle for long, and an answer in pieces", func(t *testing.T) {
		playScene(t, 2, func(s *scene) {
			time.Sleep(10*pipeTimeout - time.Second)
			go func() { s.take(1) }()
			f, _ := s.send(1)
			for _, b := range s.yes(1) { // the read deadline passes meanwhile
				time.Sleep(2 * time.Second / 30)
				s.answer([]byte{b})
			}
			if err := f.Error(); err != nil || !f.Response().Success {
				t.Error(err)
			}
		})
	})
}

func TestPipelineEndsWithItsStream(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(s *scene)
		want error
	}{
		"closed":               {func(s *scene) { _ = s.peer.Close() }, ErrLost},
		"garbage":              {func(s *scene) { s.answer([]byte("HTTP/1.1 400")) }, ErrProtocol},
		"one answer too many":  {func(s *scene) { s.answer(append(s.yes(1), s.yes(1)...)) }, ErrProtocol},
		"closed in the middle": {func(s *scene) { s.answer(s.yes(1)[:9]); _ = s.peer.Close() }, ErrLost},
	} {
		t.Run(name, func(t *testing.T) {
			playScene(t, 2, func(s *scene) {
				go func() { s.take(1) }()
				_, sent := s.send(1)
				if err := <-sent; err != nil {
					t.Fatal(err)
				}
				c.end(s)
				synctest.Wait()
				_, again := s.send(1)
				wantErr(t, <-again, c.want, "")
			})
		})
	}
}
