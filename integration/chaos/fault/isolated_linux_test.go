package fault

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNetworkIsCut, in one direction, for nodes alone, and until it is healed. Over one link datagrams arrive in order.
func TestNetworkIsCut(t *testing.T) {
	needsIsolation(t)
	c := newTestCluster(t)
	var err error
	if c.net, err = newNetwork(true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, tool("ip", "link", "delete", bridge)) })
	place := func(id string, number int) *Node {
		t.Helper()
		n := &Node{ID: id, c: c}
		if n.ip, n.RespAddr, n.RaftAddr, err = c.net.add(id, number); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { check(t, c.net.remove(id)) })
		return n
	}
	a, b := place("a", 1), place("b", 2)
	for _, n := range []*Node{a, b} {
		t.Setenv(probeEnv, "hear "+n.RespAddr)
		c.o.Binary = os.Args[0]
		check(t, n.Launch())
		t.Cleanup(n.Kill9)
		check(t, await(t.Context(), toolTimeout, "it listens", func() bool { return strings.Contains(said(t, n), "listening") }))
	}
	tell := func(from, to *Node, word string) {
		t.Helper()
		args := c.net.enter(from, []string{os.Args[0]})
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), probeEnv+"=tell "+to.RespAddr+" "+word)
		check(t, cmd.Run())
	}
	heard := func(n *Node, word string) {
		t.Helper()
		check(t, await(t.Context(), toolTimeout, n.ID+" hears "+word, func() bool { return strings.Contains(said(t, n), word) }))
	}
	tell(a, b, "before")
	heard(b, "before")
	check(t, c.net.drop(a, b, cut))
	tell(a, b, "one-way")
	heard(b, "one-way")
	tell(b, a, "lost")
	tell(c.net.clients(), a, "client")
	heard(a, "client")
	check(t, c.net.drop(a, c.net.clients(), cut))
	tell(c.net.clients(), a, "request")
	client, err := net.ListenPacket("udp", host(hubHost)+":7000")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	check(t, c.net.drop(c.net.clients(), a, cut))
	here := &Node{RespAddr: client.LocalAddr().String()}
	tell(a, here, "reply")
	check(t, c.net.heal([]*Node{a, b}))
	tell(c.net.clients(), a, "again")
	heard(a, "again")
	tell(a, here, "again")
	check(t, client.SetReadDeadline(time.Now().Add(toolTimeout)))
	buf := make([]byte, 100)
	if count, _, err := client.ReadFrom(buf); err != nil || string(buf[:count]) != "again" {
		t.Errorf("clients heard %q first, %v", buf[:count], err)
	}
	tell(b, a, "healed")
	heard(a, "healed")
	for _, word := range []string{"lost", "request"} {
		if strings.Contains(said(t, a), word) {
			t.Errorf("a heard %q although it was cut off", word)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func newTestVolume(t *testing.T, kind Disk) *volume {
	t.Helper()
	v, err := newVolume(kind, filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, v.close()) })
	return v
}

// TestPowerCutLosesWhatWasNotSynced, and that alone.
func TestPowerCutLosesWhatWasNotSynced(t *testing.T) {
	if err := byName("power-cut").Available(); err != nil {
		t.Skip(err)
	}
	v := newTestVolume(t, XFS)
	write := func(name string, sync bool) {
		t.Helper()
		f, err := os.Create(filepath.Join(v.mount, name))
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString("data")
		if err == nil && sync {
			err = f.Sync()
		}
		check(t, errors.Join(err, f.Close()))
	}
	read := func(name string) string {
		b, _ := os.ReadFile(filepath.Join(v.mount, name)) // a lost file has no content
		return string(b)
	}
	write("synced", true)
	write("not synced", false)
	check(t, v.cut())
	if err := os.WriteFile(filepath.Join(v.mount, "late"), nil, 0o600); err == nil {
		t.Error("it takes writes without power")
	}
	check(t, v.restore())
	if read("synced") != "data" || read("not synced") != "" {
		t.Errorf("synced: %q, not synced: %q", read("synced"), read("not synced"))
	}
}

func TestDiskIsFilled(t *testing.T) {
	needsIsolation(t)
	for name, kind := range map[string]Disk{"tmpfs": Tmpfs, "xfs": XFS} {
		t.Run(name, func(t *testing.T) {
			if missing("mkfs.xfs") != "" && kind == XFS {
				t.Skip("mkfs.xfs is not installed")
			}
			v := newTestVolume(t, kind)
			check(t, v.fill())
			path := filepath.Join(v.mount, "f")
			if err := os.WriteFile(path, make([]byte, 64<<10), 0o600); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("a write to a full disk: %v", err)
			}
			check(t, v.free())
			check(t, os.WriteFile(path, make([]byte, 64<<10), 0o600))
		})
	}
}

// TestPlainDirectoriesAreSpared: what has no small disk of its own must not be filled.
func TestPlainDirectoriesAreSpared(t *testing.T) {
	v, err := newVolume(Plain, t.TempDir())
	if err != nil || v != nil {
		t.Fatal(v, err)
	}
	if v.fill() == nil || v.cut() == nil {
		t.Error("no error")
	}
	check(t, errors.Join(v.free(), v.close()))
}
