package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	joinTimeout  = 15 * time.Second // one attempt
	joinRetryMin = 200 * time.Millisecond
	joinRetryMax = 5 * time.Second
)

// join makes a node without state a member of the cluster that join or replicaof names, and retries until it is in. It
// never bootstraps: a cluster that can't be reached is no reason to begin another. A node with state is a member already;
// the addresses help it to find the others should they have moved.
func (s *server) join() {
	addrs := s.cfg.JoinAddrs()
	if len(addrs) == 0 {
		return
	}
	run := s.joinLoop
	switch voters, nonVoters := s.node.Suffrage(); {
	case voters+nonVoters == 0: // it may have state all the same: it was stopped in the middle of its join
	case s.hadState:
		s.log.Info("this node has state: it does not join again, and asks at the addresses of join only where it hears of no leader")
		run = s.seek
	default:
		return // it has begun a cluster
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	s.stopJoin = func() { cancel(); <-ended }
	go func() {
		defer close(ended)
		run(ctx, addrs)
	}()
}

func (s *server) joinLoop(ctx context.Context, addrs []string) {
	wait := joinRetryMin
	for i := 0; ; i++ {
		addr := addrs[i%len(addrs)]
		err := s.joinOnce(ctx, addr)
		if err == nil {
			s.log.Info("joined the cluster", "by", addr)
			return
		}
		s.log.Warn("could not join yet", "by", addr, "err", err)
		select {
		case <-time.After(wait):
			wait = min(2*wait, joinRetryMax)
		case <-ctx.Done():
			return
		}
	}
}

// joinOnce asks the member at a RESP address to let this node in. The member passes it on to the leader.
func (s *server) joinOnce(ctx context.Context, addr string) error {
	if voters, nonVoters := s.node.Suffrage(); voters+nonVoters > 0 {
		return errors.New("this node is in a cluster already")
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	c, err := s.dialMember(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })() // the stop of the node does not wait for the answer
	self := s.node.Self()
	reply, err := c.Do("REDOUBT", "ADMIN", cluster.OpJoin, self.ID, self.RaftAddr, self.RespAddr, self.Instance, self.Version)
	if err != nil {
		return fmt.Errorf("ask %s: %w", addr, err)
	}
	return replyError(reply)
}

// dialMember connects to a member's RESP port. Only if that asks for a password is one shown: the one that clients give
// this node, as it is commonly everyone's, and, if that is none or is refused, masterauth, which is what a Redis replica
// would show. Where the two differ, masterauth, the secret between the nodes, thus stays off the wire.
func (s *server) dialMember(ctx context.Context, addr string) (*respclient.Conn, error) {
	c, err := dialRESP(ctx, addr, clientOptions{
		tls:      s.cfg.NodeTLS(),
		certFile: s.cfg.String("tls-cert-file"), keyFile: s.cfg.String("tls-key-file"), caFile: s.cfg.String("tls-ca-cert-file"),
	})
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = c.Close() })() // a node that is starting listens, and answers later
	reply, err := c.Do("PING")
	if err == nil && strings.HasPrefix(reply.Text(), "NOAUTH") {
		err = s.logInAt(c)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("authenticate at %s: %w", addr, err), c.Close())
	}
	return c, nil
}

var errNoPassword = errors.New("it asks for a password: set requirepass, or masterauth, to what its clients give")

func (s *server) logInAt(c *respclient.Conn) error {
	user, auth, own := s.cfg.String("masteruser"), s.cfg.String("masterauth"), s.cfg.String("requirepass")
	var tries [][]string
	if own != "" && user == "" {
		tries = append(tries, []string{"AUTH", own})
	}
	switch {
	case auth != "" && user != "":
		tries = append(tries, []string{"AUTH", user, auth})
	case auth != "" && auth != own:
		tries = append(tries, []string{"AUTH", auth})
	}
	err := errNoPassword
	for _, args := range tries {
		var reply respclient.Value
		if reply, err = c.Do(args...); err == nil {
			err = replyError(reply)
		}
		if err == nil {
			return nil
		}
	}
	return err
}
