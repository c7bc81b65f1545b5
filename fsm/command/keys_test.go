package command

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func args(line string) [][]byte {
	var out [][]byte
	for _, w := range strings.Fields(line) {
		out = append(out, []byte(w))
	}
	return out
}

// Specs as Redis 7.0 has them.
var (
	keyGet    = &Spec{Name: "get", Keys: []KeySpec{{Flags: RO | Access, Index: 1, Step: 1}}}
	keySet    = &Spec{Name: "set", Keys: []KeySpec{{Flags: RW | Access | Update | VariableFlags, Index: 1, Step: 1}}}
	keyBits   = &Spec{Name: "bitfield", Keys: []KeySpec{{Flags: RW | Access | Update | VariableFlags, Index: 1, Step: 1}}}
	keyMset   = &Spec{Name: "mset", Keys: []KeySpec{{Flags: OW | Update, Index: 1, Last: -1, Step: 2}}}
	keyRename = &Spec{Name: "rename", Keys: []KeySpec{{Flags: RW, Index: 1, Step: 1}, {Flags: OW, Index: 2, Step: 1}}}
	keyUnion  = &Spec{Name: "zunionstore", Keys: []KeySpec{
		{Flags: OW, Index: 1, Step: 1}, {Flags: RO, Index: 2, Step: 1, KeyNum: true, FirstKey: 1}}}
	keyPairs = &Spec{Name: "msetex", Keys: []KeySpec{{Flags: OW, Index: 1, Step: 2, KeyNum: true, FirstKey: 1}}}
	keyRead  = &Spec{Name: "xread", Keys: []KeySpec{{Flags: RO, Keyword: "STREAMS", StartFrom: 1, Last: -1, Step: 1, Limit: 2}}}
	keyGeo   = &Spec{Name: "georadius", Keys: []KeySpec{
		{Flags: RO, Index: 1, Step: 1}, {Flags: OW, Keyword: "STORE", StartFrom: 6, Step: 1}}}
	keyEval = &Spec{Name: "eval", Flags: NoMandatoryKeys, Keys: []KeySpec{{Flags: RW, Index: 2, Step: 1, KeyNum: true, FirstKey: 1}}}
	keySort = &Spec{Name: "sort", Keys: []KeySpec{{Flags: RO, Index: 1, Step: 1}, {Flags: OW | Incomplete}},
		KeysFunc: func(a [][]byte) []KeyRef { return []KeyRef{{1, RO}, {len(a) - 1, OW}, {len(a), OW}, {0, OW}} }}
	keyMove = &Spec{Name: "migrate", Keys: []KeySpec{
		{Flags: RW, Index: 3, Step: 1}, {Flags: RW | Incomplete, Keyword: "KEYS", StartFrom: -2, Last: -1, Step: 1}},
		KeysFunc: func([][]byte) []KeyRef { return []KeyRef{{3, RW}} }}
	keyChannel = &Spec{Name: "spublish", Keys: []KeySpec{{Flags: NotKey, Index: 1, Step: 1}}}
)

func TestFindKeys(t *testing.T) {
	for _, c := range []struct {
		spec *Spec
		line string
		want string
		err  error
	}{
		{keyGet, "get a", "[{1 [RO access]}]", nil},
		{keySet, "set a b", "[{1 [OW update]}]", nil},
		{keySet, "set a b EX 1 gEt", "[{1 [RW access update]}]", nil},
		{keySet, "set a get", "[{1 [OW update]}]", nil},
		{keyBits, "bitfield a get u8 0", "[{1 [RO access]}]", nil},
		{keyBits, "bitfield a incrby u8 0 1", "[{1 [RW access update]}]", nil},
		{keyBits, "bitfield a", "[{1 [RO access]}]", nil},
		{keyMset, "mset a b c d", "[{1 [OW update]} {3 [OW update]}]", nil},
		{keyRename, "rename a b", "[{1 [RW]} {2 [OW]}]", nil},
		{keyUnion, "zunionstore d 2 a b", "[{1 [OW]} {3 [RO]} {4 [RO]}]", nil},
		{keyUnion, "zunionstore d 3 a b", "", ErrKeyArguments},
		{keyUnion, "zunionstore d x a b", "", ErrKeyArguments},
		{keyUnion, "zunionstore d -1 a b", "", ErrKeyArguments},
		{keyUnion, "zunionstore d 99999999999999999999 a b", "", ErrKeyArguments},
		{keyUnion, "zunionstore d", "", ErrKeyArguments},
		{keyPairs, "msetex 2 a 1 b 2 nx", "[{2 [OW]} {4 [OW]}]", nil},
		{keyPairs, "msetex 3 a 1 b 2", "", ErrKeyArguments},
		{keyRead, "xread count 5 streams a b 0 0", "[{4 [RO]} {5 [RO]}]", nil},
		{keyRead, "xread count 5 other", "", ErrKeyArguments},
		{keyRead, "xread streams", "", ErrKeyArguments},
		{keyGeo, "georadius k 1 1 1 m", "[{1 [RO]}]", nil},
		{keyGeo, "georadius k 1 1 1 m STORE d", "[{1 [RO]} {7 [OW]}]", nil},
		{keyEval, "eval s 1 a", "[{3 [RW]}]", nil},
		{keyEval, "eval s 0", "[]", nil},
		{keyEval, "eval s x a", "[]", nil},
		{keySort, "sort a b", "[{1 [RO]} {2 [OW]}]", nil},
		{keyMove, "migrate h 1 a 0 10", "[{3 [RW]}]", nil},
		{keyMove, "migrate h 1 a 0 10 keys b", "[{3 [RW]}]", nil},
		{keyChannel, "spublish a b", "", ErrNoKeyArguments},
		{&Spec{Name: "ping"}, "ping", "", ErrNoKeyArguments},
	} {
		refs, err := c.spec.FindKeys(args(c.line))
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.line, err, c.err)
			continue
		}
		if got := show(refs); err == nil && got != c.want {
			t.Errorf("%s: %s, want %s", c.line, got, c.want)
		}
	}
}

func show(refs []KeyRef) string {
	out := make([]string, len(refs))
	for i, r := range refs {
		out[i] = fmt.Sprint("{", r.Pos, " ", r.Flags.Names(), "}")
	}
	return "[" + strings.Join(out, " ") + "]"
}

func TestKeyRange(t *testing.T) {
	for _, c := range []struct {
		spec              *Spec
		first, last, step int
	}{
		{keyGet, 1, 1, 1},
		{keyMset, 1, -1, 2},
		{keyRename, 1, 2, 1},
		{keyUnion, 1, 1, 1},
		{keyRead, 0, 0, 0},
		{keySort, 1, 1, 1},
		{keyMove, 3, 3, 1},
		{keyChannel, 1, 1, 1},
		{&Spec{Keys: []KeySpec{{Index: 2, Step: 1}, {Index: 3, Last: -1, Step: 1}}}, 2, -1, 1},
		{&Spec{Keys: []KeySpec{{Index: 1, Step: 1}, {Index: 3, Step: 1}}}, 0, 0, 0},
		{&Spec{}, 0, 0, 0},
	} {
		if first, last, step := c.spec.KeyRange(); first != c.first || last != c.last || step != c.step {
			t.Errorf("%s: %d %d %d, want %d %d %d", c.spec.Name, first, last, step, c.first, c.last, c.step)
		}
	}
}

// FuzzFindKeys: whatever the arguments, positions are inside them.
func FuzzFindKeys(f *testing.F) {
	for _, line := range []string{"x d 2 a b", "x streams a b 0 0", "x h 1 a 0 10 keys b", "x k 1 1 1 m STORE d", "x s 0"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		a := args(line)
		if len(a) == 0 {
			return
		}
		for _, s := range []*Spec{keyGet, keySet, keyBits, keyMset, keyRename, keyUnion, keyRead, keyGeo, keyEval, keySort, keyMove, keyChannel} {
			refs, err := s.FindKeys(a)
			for _, r := range refs {
				if r.Pos < 1 || r.Pos >= len(a) || err != nil {
					t.Fatalf("%s %q: %v %v", s.Name, line, refs, err)
				}
			}
		}
	})
}
