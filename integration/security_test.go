package integration

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/integration/testcluster"
)

const secret = "correct horse battery staple"

// tcpLayer is plain TCP below raft's own network transport: what an attacker would use.
type tcpLayer struct{ net.Listener }

func (tcpLayer) Dial(a raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", string(a), timeout)
}

// TestForgedRaftMessages sends what would replace all data, if the node port took it from anybody.
func TestForgedRaftMessages(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Password: secret, Flags: patient})
	lead := c.Leader()
	lead.Do("SET", "k", "v")
	sum, term := c.CheckDigests(), mustStatus(t, lead).Term

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	attacker := raft.NewNetworkTransport(tcpLayer{l}, 1, 2*time.Second, io.Discard)
	defer attacker.Close()
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(lead.ID), Addr: []byte(lead.RaftAddr)}
	for _, n := range c.Nodes {
		id, addr := raft.ServerID(n.ID), raft.ServerAddress(n.RaftAddr)
		state := []byte("nothing")
		for what, send := range map[string]func() error{
			"append entries": func() error {
				return attacker.AppendEntries(id, addr, &raft.AppendEntriesRequest{RPCHeader: header, Term: 99, PrevLogEntry: 1, PrevLogTerm: 1,
					Entries: []*raft.Log{{Index: 2, Term: 99, Data: []byte("owned")}}, LeaderCommitIndex: 2}, &raft.AppendEntriesResponse{})
			},
			"request vote": func() error {
				return attacker.RequestVote(id, addr, &raft.RequestVoteRequest{RPCHeader: header, Term: 99, LastLogIndex: 1 << 40, LastLogTerm: 98}, &raft.RequestVoteResponse{})
			},
			"timeout now": func() error {
				return attacker.TimeoutNow(id, addr, &raft.TimeoutNowRequest{RPCHeader: header}, &raft.TimeoutNowResponse{})
			},
			"install snapshot": func() error {
				return attacker.InstallSnapshot(id, addr, &raft.InstallSnapshotRequest{RPCHeader: header, SnapshotVersion: raft.SnapshotVersionMax, Term: 99,
					LastLogIndex: 1 << 40, LastLogTerm: 99, Size: int64(len(state))}, &raft.InstallSnapshotResponse{}, bytes.NewReader(state))
			},
		} {
			if err := send(); err == nil {
				t.Errorf("%s took a forged %s", n.ID, what)
			}
		}
	}
	if now := c.CheckDigests(); now != sum {
		t.Errorf("the state changed from %s to %s", sum, now)
	}
	if st := mustStatus(t, c.Leader()); st.Term != term || st.LeaderID != lead.ID {
		t.Errorf("%s led in term %d, %s leads in term %d", lead.ID, term, st.LeaderID, st.Term)
	}
}

// TestPasswords runs a cluster with requirepass and masterauth end to end, and tries to get in without them.
func TestPasswords(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Password: secret, Flags: patient})
	lead := c.Leader()

	if out := mustCLI(t, lead, "status", "--password", secret); !strings.Contains(out, "leader "+lead.ID) {
		t.Errorf("status:\n%s", out)
	}
	refusedCLI(t, lead, "the node asks for a password", "status")
	refusedCLI(t, lead, "WRONGPASS", "transfer-leader", "--password", "guess")
	mustCLI(t, lead, "transfer-leader", "--password", secret)

	stranger := testcluster.New(t, testcluster.Options{Password: "guess", Unchecked: true}).Add()
	stranger.ID, stranger.Flags = "stranger", []string{"--join", lead.RespAddr}
	stranger.Launch()
	c.Await("the stranger is told why", func() bool { return strings.Contains(stranger.Log(), "WRONGPASS") })
	if st := mustStatus(t, c.Leader()); len(st.Members) != 3 {
		t.Errorf("%+v", st)
	}

	// With the clients' password but another masterauth it is recorded, and then kept out at the node port.
	insider := testcluster.New(t, testcluster.Options{Unchecked: true}).Add()
	insider.ID = "insider"
	insider.Launch("--masterauth", "guess")
	insider.AwaitUp()
	conn := lead.Dial()
	if v, err := conn.Do("REDOUBT", "ADMIN", "join", "insider", insider.RaftAddr, insider.RespAddr, strings.Repeat("0", 32), "1"); err != nil || v.IsError() {
		t.Fatal(v, err)
	}
	c.Await("the secrets are found to differ", func() bool { return strings.Contains(insider.Log(), "masterauth") })
	if index := insider.InfoInt("raft", "raft_last_index"); index != 0 {
		t.Errorf("a node with another secret has log entries up to %d", index)
	}
	mustCLI(t, c.Leader(), "remove", "insider", "--password", secret)
}

// TestUnprotectedNodePort: what would let everybody rewrite the data does not start.
func TestUnprotectedNodePort(t *testing.T) {
	t.Parallel()
	c := testcluster.New(t, testcluster.Options{Unchecked: true})
	n := c.Add()
	_, port, _ := net.SplitHostPort(n.RaftAddr)
	n.RaftAddr = net.JoinHostPort("0.0.0.0", port)
	n.Launch("--bootstrap")
	if exit := n.Wait(); exit.Code != 1 || !strings.Contains(n.Log(), "set masterauth on every node, or TLS certificates, or listen on a loopback address") {
		t.Errorf("exit status %d: %s", exit.Code, n.Log())
	}
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(dir, name+".crt")}
	a.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

// issue writes a certificate for loopback addresses, for both ends of a connection, and returns its files.
func (a *authority) issue(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	k := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &k.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	writePEM(t, cert, "CERTIFICATE", der)
	writePEM(t, key, "PRIVATE KEY", keyDER)
	return cert, key
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func tlsFlags(ca, cert, key string) []string {
	return []string{"--tls-ca-cert-file", ca, "--tls-cert-file", cert, "--tls-key-file", key}
}

// TestTLSClients serves clients with TLS beside the plain port, with and without certificates of the clients.
func TestTLSClients(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	cert, key := ca.issue(t, dir, "node")
	clientCert, clientKey := ca.issue(t, dir, "client")
	foreignCert, foreignKey := newAuthority(t, dir, "foreign-ca").issue(t, dir, "foreign")

	for auth, tc := range map[string]struct{ none, own, foreign bool }{
		"yes":      {none: false, own: true, foreign: false},
		"optional": {none: true, own: true, foreign: false},
		"no":       {none: true, own: true, foreign: true},
	} {
		t.Run(auth, func(t *testing.T) {
			secure := testcluster.FreeAddr(t)
			_, port, _ := net.SplitHostPort(secure)
			c := testcluster.Start(t, testcluster.Options{Nodes: 1, Flags: append(tlsFlags(ca.file, cert, key), "--tls-port", port, "--tls-auth-clients", auth)})
			c.Do("SET", "k", "v")
			for _, try := range []struct {
				what, cert, key string
				want            bool
			}{{"no certificate", "", "", tc.none}, {"an own certificate", clientCert, clientKey, tc.own}, {"a foreign certificate", foreignCert, foreignKey, tc.foreign}} {
				out, err := redisCLI(secure, ca.file, try.cert, try.key)
				if (err == nil && out == "v") != try.want {
					t.Errorf("redis-cli with %s: %q, %v; want %v", try.what, out, err, try.want)
				}
				got, err := goRedisTLS(t, secure, ca, try.cert, try.key)
				if (err == nil && got == "v") != try.want {
					t.Errorf("go-redis with %s: %q, %v; want %v", try.what, got, err, try.want)
				}
			}
		})
	}
}

// redisCLI asks for k with TLS.
func redisCLI(addr, ca, cert, key string) (string, error) {
	host, port, _ := net.SplitHostPort(addr)
	args := []string{"-h", host, "-p", port, "--tls", "--cacert", ca}
	if cert != "" {
		args = append(args, "--cert", cert, "--key", key)
	}
	out, err := exec.Command("redis-cli", append(args, "GET", "k")...).Output()
	return strings.TrimSpace(string(out)), err
}

func goRedisTLS(t *testing.T, addr string, ca *authority, cert, key string) (string, error) {
	t.Helper()
	conf := &tls.Config{RootCAs: x509.NewCertPool()}
	conf.RootCAs.AddCert(ca.cert)
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	rdb := redis.NewClient(&redis.Options{Addr: addr, TLSConfig: conf, MaxRetries: -1, DialerRetries: 1})
	defer rdb.Close()
	return rdb.Get(context.Background(), "k").Result()
}

// TestTLSBetweenNodes runs a cluster whose nodes trust one authority, and nobody else.
func TestTLSBetweenNodes(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	cert, key := ca.issue(t, dir, "node")
	// The joining node reaches the members' clients port with TLS too.
	c := testcluster.New(t, testcluster.Options{Flags: append(tlsFlags(ca.file, cert, key), "--node-tls")})
	var securePort string
	for i := range 3 {
		n := c.Add()
		addr := testcluster.FreeAddr(t)
		_, port, _ := net.SplitHostPort(addr)
		n.Flags = []string{"--tls-port", port}
		if i == 0 {
			securePort = addr
			n.Flags = append(n.Flags, "--bootstrap")
		} else {
			n.Flags = append(n.Flags, "--join", securePort)
		}
		n.Launch()
	}
	c.AwaitVoters(3)
	load := c.StartLoad(testcluster.LoadOptions{Writers: 2})
	load.AwaitAcks(100)
	moment := time.Now()
	lead := c.Leader()
	lead.Kill9()
	load.AwaitAckAfter(moment, lead.RespAddr)
	lead.Restart()
	c.AwaitVoters(3)
	record := load.Stop()
	record.Verify(c)

	other := newAuthority(t, dir, "other-ca")
	otherCert, otherKey := other.issue(t, dir, "other")
	stranger := testcluster.New(t, testcluster.Options{Unchecked: true, Flags: append(tlsFlags(other.file, otherCert, otherKey), "--node-tls")}).Add()
	stranger.ID, stranger.Flags = "stranger", []string{"--join", securePort}
	stranger.Launch()
	c.Await("the stranger is told why", func() bool { return strings.Contains(stranger.Log(), "certificate signed by unknown authority") })
	if st := mustStatus(t, c.Leader()); len(st.Members) != 3 {
		t.Errorf("%+v", st)
	}

	// Let in by a client, it is kept out at the node port all the same.
	if v, err := c.Leader().Try("REDOUBT", "ADMIN", "join", "stranger", stranger.RaftAddr, stranger.RespAddr, strings.Repeat("0", 32), "1"); err != nil {
		t.Fatal(v, err)
	}
	c.Await("the nodes refuse one another", func() bool { return strings.Contains(c.Leader().Log(), "unknown authority") })
	if index := stranger.InfoInt("raft", "raft_last_index"); index != 0 {
		t.Errorf("a node with another authority's certificate has log entries up to %d", index)
	}
	mustCLI(t, c.Leader(), "remove", "stranger")
}
