package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/cluster/storage"
	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/internal/config"
	"github.com/redoubtdb/redoubt/resp"
	"github.com/redoubtdb/redoubt/transport"
)

// server is a running node: the data directory, the node port, the Raft node and the RESP port.
type server struct {
	cfg       *config.Config
	log       *slog.Logger
	dir       *storage.Dir
	transport *transport.Transport
	node      *cluster.Node
	opened    atomic.Pointer[cluster.Node] // node, for those who may come while it is being opened
	resp      *resp.Server
	clock     wallClock

	hadState bool                    // the data directory had a term, so that this node is a member, when it was opened
	callers  chan transport.Identity // a node of a cluster that dialed this one, which was in none yet
	stop     chan struct{}           // SHUTDOWN was asked for
	fatal    chan error              // the node can't go on
	stopJoin context.CancelFunc

	stopLoading func()      // ends what clears loading
	loading     atomic.Bool // this node does not have the cluster's data yet

	closeOnce closer
}

// startServer brings the parts up in an order in which each refusal comes before anything is changed for others: the
// directory's lock and identity, the ports, then Raft.
func startServer(cfg *config.Config, l *logs) (*server, error) {
	s := &server{
		cfg: cfg, log: l.slog, callers: make(chan transport.Identity, 1), stop: make(chan struct{}, 1), fatal: make(chan error, 1),
		stopJoin: func() {}, stopLoading: func() {},
	}
	if cfg.String("node-id") == "" {
		return nil, errors.New("node-id is required: a name of this node, unique in the cluster and for ever")
	}
	hookSettings(cfg)
	if err := fitMaxClients(cfg, s.log); err != nil {
		return nil, err
	}
	if err := s.openStorage(); err != nil {
		return nil, err
	}
	if err := s.startNode(l); err != nil {
		return nil, errors.Join(err, s.closeAll())
	}
	return s, nil
}

func (s *server) openStorage() error {
	mode, err := storage.ParseFsyncMode(s.cfg.String("appendfsync"))
	if err != nil {
		return err
	}
	if mode != storage.FsyncAlways {
		s.log.Warn("appendfsync is not always: a power cut may lose writes that were acknowledged", "appendfsync", mode)
	}
	s.dir, err = storage.Open(storage.Options{
		Path: s.cfg.String("dir"), NodeID: s.cfg.String("node-id"), LogStore: s.cfg.String("log-store"),
		Fsync: mode, OnFailure: s.storageFailed, Logger: s.log, StallLimit: stallLimit,
		SnapshotRoom: cluster.DiskFloor(uint64(s.cfg.Bytes("disk-reserve-bytes"))),
	})
	if err != nil {
		return err
	}
	if s.hadState = s.dir.Identity().HasState; s.hadState && s.cfg.Bool("bootstrap") {
		s.log.Info("this node has state: bootstrap is ignored")
	}
	return nil
}

const stallLimit = cluster.StallLimitDefault

// storageFailed passes the first storage error to the node, which stops leading and answers what is in flight.
func (s *server) storageFailed(err error) {
	if n := s.opened.Load(); n != nil {
		n.StorageFailed(err)
		return
	}
	s.fail(err)
}

func (s *server) fail(err error) {
	select {
	case s.fatal <- err:
	default:
	}
}

func (s *server) startNode(l *logs) error {
	clientTLS, nodeTLS, err := tlsSettings(s.cfg)
	if err != nil {
		return err
	}
	s.transport, err = transport.Listen(transport.Config{
		Listen: s.cfg.String("raft-addr"), Advertise: s.cfg.String("raft-advertise"),
		Secret: []byte(s.cfg.String("masterauth")), TLS: nodeTLS, AllowInsecure: s.cfg.Bool("node-allow-insecure"),
		Self:   s.identity,
		Verify: s.verify, Logger: s.log,
	})
	if err != nil {
		return fmt.Errorf("node port: %w", err)
	}
	backend := &backend{s: s}
	s.resp = resp.NewServer(resp.Options{
		Config: s.cfg, Backend: backend, Table: commandTable(), EntryBytesMax: int(s.cfg.Bytes("raft-max-entry-bytes")) - fsm.EntryHeaderBytes,
		TLS: clientTLS, Logger: s.log, Now: s.clock.Now,
	})
	if err := s.resp.Listen(); err != nil {
		return err
	}
	if err := s.openNode(l); err != nil {
		s.resp.Close(0)
		return err
	}
	s.beginLoading()
	s.resp.Serve()
	s.log.Info("ready to accept connections", "node", s.cfg.String("node-id"), "resp", s.respAddr(), "raft", s.transport.Addr())
	s.join()
	return nil
}

// openNode opens the Raft node. It does not wait for one whose storage has failed meanwhile: see holdingStable.
func (s *server) openNode(l *logs) error {
	bootstrap, err := s.checkBootstrap()
	if err != nil {
		return err
	}
	cfg := s.nodeConfig(l, s.loadBook())
	cfg.Bootstrap = bootstrap
	ended := make(chan error, 1)
	go func() {
		n, err := cluster.Open(cfg)
		if err == nil {
			s.opened.Store(n)
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		s.node = s.opened.Load()
		return err
	case err := <-s.fatal:
		return err
	}
}

// loadBook reads where the other nodes were. What it says is a hint, so the node starts without it, too.
func (s *server) loadBook() *cluster.AddressBook {
	book := cluster.NewAddressBook()
	var state cluster.BookState
	if err := s.dir.LoadBook(&state); err != nil {
		s.log.Warn("the address book is passed over: should the other nodes have moved, this one may take longer to find them", "err", err)
		return book
	}
	book.Load(s.cfg.String("node-id"), state)
	return book
}

func (s *server) nodeConfig(l *logs, book *cluster.AddressBook) cluster.Config {
	profile := cluster.ProfileLAN
	if s.cfg.String("raft-profile") == "wan" {
		profile = cluster.ProfileWAN
	}
	return cluster.Config{
		NodeID: s.cfg.String("node-id"), RaftAddr: s.transport.Addr(), RespAddr: s.respAddr(), Version: version,
		Databases: int(s.cfg.Int("databases")), Profile: profile,
		BatchBytesGoal: int(s.cfg.Bytes("batch-entry-bytes")), EntryBytesMax: int(s.cfg.Bytes("raft-max-entry-bytes")),
		BatchInflight: int(s.cfg.Int("batch-inflight")), QueueBytesMax: int(s.cfg.Bytes("proposal-queue-bytes")),
		WriteTimeout: s.cfg.Duration("write-timeout-ms"), SnapshotThreshold: uint64(s.cfg.Int("snapshot-threshold")),
		SnapshotInterval: s.cfg.Duration("snapshot-interval"), TrailingLogs: uint64(s.cfg.Int("trailing-logs")), DiskReserve: diskReserve(s.cfg),
		Transport: transport.NewRaftTransport(s.transport, transport.RaftOptions{Timeout: profile.RPC, AddressProvider: book, Logger: l.raft}),
		Peers:     s.transport, Storage: stores{s.dir}, Clock: &s.clock, Book: book,
		SaveBook: func(b cluster.BookState) error { return s.dir.SaveBook(b) }, Logger: s.log, RaftLogger: l.raft,
		OnLeadership: func(leading bool) {
			if !leading {
				s.resp.Demoted()
			}
		},
		OnFatal: s.fail,
	}
}

func (s *server) identity() transport.Identity {
	id := s.dir.Identity()
	return transport.Identity{ClusterID: id.ClusterID, NodeID: id.NodeID, Instance: id.Instance}
}

// respAddr is where clients and joining nodes reach this node: as announced, or the first address that is bound.
func (s *server) respAddr() string {
	if a := s.cfg.String("resp-advertise"); a != "" {
		return a
	}
	port := s.cfg.Int("port")
	if port == 0 {
		port = s.cfg.Int("tls-port")
	}
	if p := s.cfg.Int("replica-announce-port"); p != 0 {
		port = p
	}
	host := s.cfg.String("replica-announce-ip")
	for _, b := range s.cfg.Words("bind") {
		if host != "" {
			break
		}
		if b = strings.TrimPrefix(b, "-"); b != "*" && b != "0.0.0.0" && b != "::" && b != "::*" {
			host = b
		}
	}
	if host == "" { // bound to everything: other nodes know this one by its node port's name
		host, _, _ = net.SplitHostPort(s.transport.Addr())
	}
	return net.JoinHostPort(host, strconv.FormatInt(port, 10))
}

// tlsSettings are for the RESP port (nil without tls-port) and the node port (nil without node-tls).
func tlsSettings(cfg *config.Config) (client *tls.Config, node *transport.TLSConfig, err error) {
	cert, key, ca := cfg.String("tls-cert-file"), cfg.String("tls-key-file"), cfg.String("tls-ca-cert-file")
	if cfg.NodeTLS() {
		if cert == "" || key == "" || ca == "" {
			return nil, nil, errors.New("node-tls needs tls-cert-file, tls-key-file and tls-ca-cert-file")
		}
		node = &transport.TLSConfig{CertFile: cert, KeyFile: key, CAFile: ca}
	}
	if cfg.Int("tls-port") == 0 {
		return nil, node, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, nil, fmt.Errorf("tls-cert-file and tls-key-file: %w", err)
	}
	client = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	auth := cfg.String("tls-auth-clients")
	if auth == "no" {
		return client, node, nil
	}
	client.ClientAuth = tls.RequireAndVerifyClientCert
	if auth == "optional" {
		client.ClientAuth = tls.VerifyClientCertIfGiven
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, nil, fmt.Errorf("tls-ca-cert-file: %w", err)
	}
	client.ClientCAs = x509.NewCertPool()
	if !client.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, nil, fmt.Errorf("tls-ca-cert-file: %s holds no certificate", ca)
	}
	return client, node, nil
}
