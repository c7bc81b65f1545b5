package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// flipsVar asks for so many flips of each kind of file, and for cuts at every byte; see "make flips".
const flipsVar = "REDOUBT_FLIPS"

func flips(t testing.TB) int {
	if v := os.Getenv(flipsVar); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.Fatalf("%s=%s: want a number of flips", flipsVar, v)
		}
		return n
	}
	return flipsUsual
}

// tornStep is the number of bytes between two cuts of a record.
func tornStep() int {
	if os.Getenv(flipsVar) != "" {
		return 1
	}
	return tornStepUsual
}

// flipCase is a directory, the files to damage, and what must still hold once a damaged copy has opened.
type flipCase struct {
	opts  Options
	files []string
	spare bool // the file has a second copy of all it says
	check func(d *Dir) error
}

// flipTally counts the flips of one file: detected and named, or harmless because everything read back was the same.
type flipTally struct{ detected, harmless int }

// run flips one random bit at a time. Each flip must be detected (an error that wraps ErrDamaged, from Open or from the
// read, and names the file or its directory) or be harmless (the same content): never other content, never less of it.
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
	tally := make(map[string]*flipTally)
	detected := 0
	for i := range flips(t) {
		name := c.files[r.IntN(len(c.files))]
		if tally[name] == nil {
			tally[name] = &flipTally{}
		}
		b := bytes.Clone(pristine[name])
		used := len(trimZeros(b))
		at, bit := r.IntN(used), r.IntN(8)
		b[at] ^= 1 << bit
		must(t, os.WriteFile(o.Path+name, b, 0o600))
		err := c.open(o)
		switch {
		case err == nil:
			tally[name].harmless++
		case errors.Is(err, ErrDamaged) && strings.Contains(err.Error(), filepath.Dir(o.Path+name)),
			errors.Is(err, raft.ErrLogNotFound) && o.LogStore == LogBoltDB:
			// Not found: below the snapshot, where boltdb may have gaps. Raft sends the snapshot instead.
			tally[name].detected++
			detected++
		default:
			t.Errorf("flip %d: bit %d of byte %d in %s: %v", i, bit, at, name, err)
		}
		restore(t, o.Path, pristine)
	}
	for name, n := range tally {
		t.Logf("%s: %d flips: %d detected, %d harmless", name, n.detected+n.harmless, n.detected, n.harmless)
	}
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
			"log": nil, "stable": {"/" + stableName}, "identity": {"/" + identityName}, "mark": {"/" + markName},
			"snapshot meta": {snap + snapshotMetaName}, "snapshot state": {snap + snapshotStateName},
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
