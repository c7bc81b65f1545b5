package main

import (
	"context"
	"time"
)

const (
	catchUpRetry   = 20 * time.Millisecond // between questions to the leader, which may not be known yet
	catchUpTimeout = 10 * time.Second      // one question, and the wait for the index that it names
)

// beginLoading holds reads back until the node's state is as new as the cluster's was at some time after the node
// started. Before that it is that of the last snapshot, or empty: the entries of its own log are not applied before a
// leader says how far they are committed. A follower's reads may lag, but a key that was written days ago must not seem
// to be missing because the node has been restarted.
func (s *server) beginLoading() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s.loading.Store(true)
	s.stopLoading = func() { cancel(); <-done }
	go func() {
		defer close(done)
		for !s.caughtUp(ctx) {
			select {
			case <-time.After(catchUpRetry):
			case <-ctx.Done():
				return
			}
		}
		s.loading.Store(false)
	}()
}

func (s *server) caughtUp(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	return s.node.ConfirmFollowerRead(ctx) == nil
}
