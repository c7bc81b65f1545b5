package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	nodes = 3 // of ours, of etcd, and of the primary with its replicas
	// clientsMax is the setting maxclients of every server: a growth goes up to connsMax connections.
	clientsMax = connsMax + 1000
	// etcdQuotaBytes is etcd's quota-backend-bytes: it keeps every revision, and refuses writes beyond this.
	etcdQuotaBytes = 8 << 30
)

// launcher starts systems with their data under dir. It belongs to one goroutine.
type launcher struct {
	tools   tools
	redoubt string   // our program
	args    []string // that each server of ours gets
	dir     string
	taken   map[string]bool // addresses given out before
}

// addrs finds n loopback addresses that nobody listens on and that were not given out before.
func (l *launcher) addrs(n int) ([]string, error) {
	var out []string
	for len(out) < n {
		s, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer s.Close() // all of them at the end, so that no port comes twice
		if a := s.Addr().String(); !l.taken[a] {
			l.taken[a] = true
			out = append(out, a)
		}
	}
	return out, nil
}

// startRedoubt starts nodes of ours: the first makes the cluster, the others join it.
func (l *launcher) startRedoubt(ctx context.Context, n int, more ...string) (*system, error) {
	addrs, err := l.addrs(2 * n)
	if err != nil {
		return nil, err
	}
	s := &system{id: redoubt}
	for i := range n {
		id := "n" + strconv.Itoa(i+1)
		data := filepath.Join(l.dir, "redoubt-"+id)
		args := []string{
			"server", "--node-id", id, "--data-dir", data, "--resp-addr", addrs[i], "--raft-addr", addrs[n+i],
			"--maxclients", strconv.Itoa(clientsMax),
		}
		if i == 0 {
			args = append(args, "--bootstrap")
		} else {
			args = append(args, "--join", addrs[0])
		}
		args = append(append(args, l.args...), more...)
		if err := s.start("redoubt "+id, addrs[i], data, l.redoubt, args...); err != nil {
			s.stop()
			return nil, err
		}
	}
	return s.started(ctx)
}

// startRedis starts a primary and n-1 replicas, each with an append-only file that is fsynced before a command is
// answered.
func (l *launcher) startRedis(ctx context.Context, id systemID, n int) (*system, error) {
	addrs, err := l.addrs(n)
	if err != nil {
		return nil, err
	}
	s := &system{id: id}
	primaryHost, primaryPort, _ := net.SplitHostPort(addrs[0]) // as net.Listener printed it
	for i, addr := range addrs {
		host, port, _ := net.SplitHostPort(addr)
		data := filepath.Join(l.dir, "redis-"+port)
		if err := os.Mkdir(data, 0o755); err != nil {
			s.stop()
			return nil, err
		}
		args := []string{
			"--port", port, "--bind", host, "--dir", data, "--daemonize", "no", "--save", "",
			"--maxclients", strconv.Itoa(clientsMax), "--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0",
		}
		if i > 0 {
			args = append(args, "--replicaof", primaryHost, primaryPort)
		}
		if err := s.start(fmt.Sprintf("%s %d", id, i+1), addr, data, l.tools.server, args...); err != nil {
			s.stop()
			return nil, err
		}
	}
	return s.started(ctx)
}

// startEtcd starts n members of etcd, with its default settings but for the quota.
func (l *launcher) startEtcd(ctx context.Context, n int) (*system, error) {
	addrs, err := l.addrs(2 * n)
	if err != nil {
		return nil, err
	}
	s := &system{id: etcd}
	cluster := make([]string, n)
	for i := range cluster {
		cluster[i] = fmt.Sprintf("e%d=http://%s", i+1, addrs[n+i])
	}
	for i := range n {
		id := "e" + strconv.Itoa(i+1)
		data := filepath.Join(l.dir, "etcd-"+id)
		client, peer := "http://"+addrs[i], "http://"+addrs[n+i]
		args := []string{
			"--name", id, "--data-dir", data, "--listen-client-urls", client, "--advertise-client-urls", client,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", strings.Join(cluster, ","),
			"--initial-cluster-state", "new", "--quota-backend-bytes", strconv.Itoa(etcdQuotaBytes),
		}
		if err := s.start("etcd "+id, addrs[i], data, l.tools.etcd, args...); err != nil {
			s.stop()
			return nil, err
		}
	}
	return s.started(ctx)
}

// fleet is the systems of the matrix. That of etcd is nil where etcd is not installed.
type fleet struct{ systems [systemCount]*system }

// startFleet starts every system and waits until all of them take writes on every node.
func startFleet(ctx context.Context, l *launcher) (_ *fleet, err error) {
	f := &fleet{}
	defer func() {
		if err != nil {
			f.stop()
		}
	}()
	if f.systems[redoubt], err = l.startRedoubt(ctx, nodes); err != nil {
		return nil, err
	}
	if f.systems[single], err = l.startRedis(ctx, single, 1); err != nil {
		return nil, err
	}
	if f.systems[trio], err = l.startRedis(ctx, trio, nodes); err != nil {
		return nil, err
	}
	if l.tools.etcd != "" {
		f.systems[etcd], err = l.startEtcd(ctx, nodes)
	}
	return f, err
}

func (f *fleet) stop() { stopAll(f.systems[:]...) }
