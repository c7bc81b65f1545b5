package fsm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/internal/script"
)

const testTime = 1_700_000_000_000 // log time at which tests begin, milliseconds

// testTable is the table as a server has it.
var testTable = sync.OnceValue(func() *command.Table {
	t := command.NewTable()
	Commands(t)
	return t
})

// replicas are machines that apply the same log in different ways: replica 0 from the beginning, replica 1 as well but
// with a snapshot held before every entry (so that each change has to copy), replica 2 restored from a snapshot of
// replica 0 every few entries.
type replicas struct {
	m       [3]*Machine
	index   uint64
	now     int64
	proto   int       // of the replies to entries
	rarely  bool      // snapshots are taken and restored a tenth as often
	pending *Snapshot // taken before a change, and
	picture []byte    // what it was then
}

const restoreEvery = 5 // entries

func newReplicas(t testing.TB) *replicas {
	t.Helper()
	r := &replicas{m: [3]*Machine{New(), New(), New()}, now: testTime, proto: 3}
	body, err := json.Marshal(Genesis{ClusterID: "test", HashKey0: 1, HashKey1: 2, Databases: DatabasesDefault})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.apply(EntryInit, body, nil); err != nil {
		t.Fatal(err)
	}
	return r
}

// apply appends an entry to the log of all replicas and returns the replies of replica 0.
func (r *replicas) apply(k EntryKind, body []byte, units []int) ([]respclient.Value, error) {
	r.index++
	data := AppendEntryHeader(nil, EntryHeader{Kind: k, Time: r.now, Seed: r.index * 7919})
	data = append(data, body...)
	var first []respclient.Value
	for i, m := range r.m {
		if i == 1 && (!r.rarely || r.index%10 == 0) {
			if err := r.hold(m); err != nil {
				return nil, err
			}
		}
		rec := &script.Recorder{Proto: r.proto}
		var targets []Target
		for _, n := range units {
			targets = append(targets, Target{Units: n, Reply: rec})
		}
		if err := m.Apply(r.index, bytes.Clone(data), targets); err != nil {
			return nil, err
		}
		got, ok := rec.Take()
		if !ok {
			return nil, fmt.Errorf("replica %d: a reply lacks elements", i)
		}
		if i == 0 {
			first = got
		} else if a, b := fmt.Sprint(first), fmt.Sprint(got); a != b {
			return nil, fmt.Errorf("replica %d replies %.300s, replica 0 %.300s", i, b, a)
		}
	}
	if r.index%restoreEvery == 0 && (!r.rarely || r.index%10 == 5) {
		return first, r.restore()
	}
	return first, nil
}

// hold checks the snapshot held so far against what it was when it was taken, and takes the next.
func (r *replicas) hold(m *Machine) error {
	if r.pending != nil {
		now, err := snapshotBytes(r.pending)
		if err != nil {
			return err
		}
		if !bytes.Equal(now, r.picture) {
			return fmt.Errorf("a snapshot changed after it was taken, before entry %d", r.index)
		}
	}
	r.pending = m.Snapshot()
	var err error
	r.picture, err = snapshotBytes(r.pending)
	return err
}

func snapshotBytes(s *Snapshot) ([]byte, error) {
	var b bytes.Buffer
	_, err := s.WriteTo(&b)
	return b.Bytes(), err
}

func (r *replicas) restore() error {
	b, err := snapshotBytes(r.m[0].Snapshot())
	if err != nil {
		return err
	}
	r.m[2] = New()
	return r.m[2].Restore(bytes.NewReader(b))
}

// agree compares the digests.
func (r *replicas) agree() error {
	want := r.m[0].Digest()
	for i, m := range r.m[1:] {
		if got := m.Digest(); got != want {
			return fmt.Errorf("replica %d has digest %s, replica 0 %s", i+1, got, want)
		}
	}
	for i, m := range r.m {
		if p := m.TakePanic(); p != "" {
			return fmt.Errorf("replica %d: an executor panicked: %s", i, p)
		}
	}
	return nil
}

// do is what a server does with a command: its checks, then the log or a View.
func (r *replicas) do(db, proto int, args []string) (respclient.Value, error) {
	call := command.Call{DB: db, Args: make([][]byte, len(args))}
	for i, a := range args {
		call.Args[i] = []byte(a)
	}
	call.Spec = testTable().Lookup(call.Args)
	refuse := func(text string) (respclient.Value, error) {
		return respclient.Value{Kind: respclient.Error, Str: text}, nil
	}
	switch {
	case call.Spec == nil:
		return refuse(command.ErrUnknownCommand(call.Args))
	case !call.Spec.ArityOK(len(args)):
		return refuse(command.ErrWrongArgs(call.Spec))
	case !Executes(call.Spec):
		return refuse(command.ErrUnknownSubcommand(call.Spec, call.Args[1]))
	}
	r.now++
	if !call.Spec.Is(command.Write) && !call.Spec.MayLog() {
		return r.view(call, proto)
	}
	r.proto = proto
	p := command.NewProposal(nil)
	p.AddCall(db, call.Args)
	got, err := r.apply(EntryCalls, p.Body, []int{p.Units})
	if err == nil && len(got) != 1 {
		err = fmt.Errorf("%d replies", len(got))
	}
	if err != nil {
		return respclient.Value{}, fmt.Errorf("%.200q: %w", args, err)
	}
	return got[0], nil
}

// view asks replica 0, after the time has passed what any key's deadline could wait for.
func (r *replicas) view(call command.Call, proto int) (respclient.Value, error) {
	for range 2 {
		rec := &script.Recorder{Proto: proto}
		if !r.m[0].View([]command.Call{call}, command.ReadOptions{Clock: r.now, Strict: true, Seed: uint64(r.now)}, rec) {
			if _, err := r.apply(EntryTick, nil, nil); err != nil {
				return respclient.Value{}, err
			}
			continue
		}
		got, ok := rec.Take()
		if !ok || len(got) != 1 {
			return respclient.Value{}, fmt.Errorf("%.200q: %d replies", call.Args, len(got))
		}
		return got[0], nil
	}
	return respclient.Value{}, fmt.Errorf("%.200q: a View is late after the log time has moved", call.Args)
}

// machineTarget runs scripts on replicas.
type machineTarget struct{ r *replicas }

func (t machineTarget) Open() (script.Conn, error) { return &machineConn{r: t.r, proto: 2}, nil }

func (t machineTarget) Wait(d time.Duration) { t.r.now += d.Milliseconds() }

type machineConn struct {
	r         *replicas
	db, proto int
}

func (*machineConn) Close() error { return nil }

func (c *machineConn) Do(args ...string) (v respclient.Value, err error) {
	switch strings.ToLower(args[0]) {
	case "select":
		c.db, err = strconv.Atoi(args[1])
	case "hello":
		c.proto, err = strconv.Atoi(args[1])
	default:
		return c.r.do(c.db, c.proto, args)
	}
	return respclient.Value{Kind: respclient.Simple, Str: "OK"}, err
}

func loadScripts(t testing.TB) []*script.Script {
	t.Helper()
	scripts, err := script.Load("testdata/script")
	if err != nil {
		t.Fatal(err)
	}
	return scripts
}

// TestScripts runs every script on the bare state machine. package integration holds the same scripts to redis-server.
func TestScripts(t *testing.T) {
	for _, s := range loadScripts(t) {
		t.Run(s.Name, func(t *testing.T) {
			if s.Server {
				t.Skip("needs a server")
			}
			for _, name := range s.Needs {
				if testTable().Get(name) == nil {
					t.Skipf("there is no %s yet", name)
				}
			}
			r := newReplicas(t)
			res, err := s.Run(machineTarget{r})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range res.Differences {
				t.Error(d)
			}
			if err := r.agree(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEveryCommandHasAScript is the rule: a command that no script calls fails the build.
func TestEveryCommandHasAScript(t *testing.T) {
	called := map[string]bool{}
	for _, s := range loadScripts(t) {
		for _, name := range s.Commands() {
			called[name] = true
		}
	}
	for _, s := range testTable().All() {
		for _, spec := range append(s.Subcommands, s) {
			if !called[spec.Name] {
				t.Errorf("no script in testdata/script calls %s", spec.Name)
			}
		}
	}
}
