package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// flipCase is a directory, the files to damage, and what must still hold once a damaged copy has opened.
type flipCase struct {
	opts  Options
	files []string
	spare bool // the file has a second copy of all it says
	check func(d *Dir) error
}

// run flips one random bit at a time. Each flip must be detected (an error that wraps ErrDamaged, from Open or from the
// read) or be harmless (the same content): never other content, never less of it.
func (c flipCase) run(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	o := c.opts
	o.Path = filepath.Join(memoryDir(t), "copy")
	must(t, os.CopyFS(o.Path, os.DirFS(c.opts.Path)))
	pristine := make(map[string][]byte)
	for _, p := range files(t, c.opts.Path) {
		b, err := os.ReadFile(p)
		must(t, err)
		pristine[strings.TrimPrefix(p, c.opts.Path)] = b
	}
	detected := 0
	for i := range flips {
		name := c.files[r.IntN(len(c.files))]
		b := bytes.Clone(pristine[name])
		used := len(bytes.TrimRight(b, "\x00"))
		at, bit := r.IntN(used), r.IntN(8)
		b[at] ^= 1 << bit
		must(t, os.WriteFile(o.Path+name, b, 0o600))
		err := c.open(o)
		switch {
		case errors.Is(err, ErrDamaged):
			detected++
		case errors.Is(err, raft.ErrLogNotFound) && o.LogStore == LogBoltDB:
			detected++ // below the snapshot, where this store may have gaps: raft sends the snapshot instead
		case err != nil:
			t.Errorf("flip %d: bit %d of byte %d in %s: %v", i, bit, at, name, err)
		}
		restore(t, o.Path, pristine)
	}
	t.Logf("%d of %d detected, the others harmless", detected, flips)
	if detected == 0 && !c.spare {
		t.Error("nothing was detected: the flips hit nothing")
	}
}

func (c flipCase) open(o Options) error {
	d, err := Open(o)
	if err != nil {
		return err
	}
	defer d.Close()
	return c.check(d)
}

// restore puts back what the damaged run left.
func restore(t *testing.T, path string, pristine map[string][]byte) {
	t.Helper()
	for _, p := range files(t, path) {
		if _, ok := pristine[strings.TrimPrefix(p, path)]; !ok {
			must(t, os.Remove(p))
		}
	}
	for name, b := range pristine {
		if got, err := os.ReadFile(path + name); err != nil || !bytes.Equal(got, b) {
			must(t, os.WriteFile(path+name, b, 0o600))
		}
	}
}

// checkContents reads all that a full directory holds.
func checkContents(snapID string, state []byte) func(d *Dir) error {
	return func(d *Dir) error {
		first, err := d.Log().FirstIndex()
		if err != nil {
			return err
		}
		last, err := d.Log().LastIndex()
		if err != nil {
			return err
		}
		if first != 1 || last != 90 {
			return fmt.Errorf("log from %d to %d", first, last)
		}
		for i := first; i <= last; i++ {
			var l raft.Log
			if err := d.Log().GetLog(i, &l); err != nil {
				return err
			}
			if err := same(&l, entry(i, 1)); err != nil {
				return err
			}
		}
		term, _ := d.Stable().GetUint64([]byte(keyCurrentTerm))
		voted, _ := d.Stable().GetUint64([]byte(keyLastVoteTerm))
		cand, _ := d.Stable().Get([]byte(keyLastVoteCand))
		if term != 1 || voted != 1 || string(cand) != "127.0.0.1:7000" {
			return fmt.Errorf("term %d, vote %d for %q", term, voted, cand)
		}
		if id := d.Identity(); id.NodeID != "n1" || id.ClusterID != "c1" || !id.HasState {
			return fmt.Errorf("identity %+v", id)
		}
		return checkSnapshot(d, snapID, state)
	}
}

func checkSnapshot(d *Dir, id string, state []byte) error {
	m, r, err := d.Snapshots().Open(id)
	if err != nil {
		return err
	}
	defer r.Close()
	if m.Index != 20 || m.Term != 1 || m.ConfigurationIndex != 1 || m.Configuration.Servers[0] != testConf.Servers[0] {
		return fmt.Errorf("snapshot meta %+v", m)
	}
	if got, err := readState(d, id); err != nil || !bytes.Equal(got, state) {
		return fmt.Errorf("other state: %w", err)
	}
	list, err := d.Snapshots().List()
	if err == nil && (len(list) != 1 || list[0].Index != 20) {
		err = fmt.Errorf("list %+v", list)
	}
	return err
}

func TestBitFlips(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	forKinds(t, func(t *testing.T, kind string) {
		o := testOptions(filepath.Join(t.TempDir(), "d"), kind)
		d := mustOpen(t, o)
		fill(t, d, 1, 90, 1)
		must(t, d.SetClusterID("c1"))
		must(t, d.Stable().SetUint64([]byte(keyLastVoteTerm), 1))
		must(t, d.Stable().Set([]byte(keyLastVoteCand), []byte("127.0.0.1:7000")))
		state := bytes.Repeat([]byte("state"), 100)
		id := snapshot(t, d, 20, 1, state)
		mustClose(t, d)
		check := checkContents(id, state)

		snap := string(filepath.Separator) + filepath.Join(snapshotsName, id) + string(filepath.Separator)
		groups := map[string][]string{
			"log": nil, "stable": {"/" + stableName}, "identity": {"/" + identityName},
			"mark": {"/" + markName}, "snapshot": {snap + snapshotMetaName, snap + snapshotStateName},
		}
		for _, p := range files(t, filepath.Join(o.Path, logName)) {
			groups["log"] = append(groups["log"], strings.TrimPrefix(p, o.Path))
		}
		for name, list := range groups {
			if kind == LogBoltDB && name != "log" {
				continue // the same as with the other
			}
			t.Run(name, func(t *testing.T) {
				flipCase{opts: o, files: list, spare: name == "mark", check: check}.run(t)
			})
		}
	})
}
