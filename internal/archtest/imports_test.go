package archtest

import (
	"strings"
	"testing"
)

// rule says what the packages at dir and below may import of this module, where no longer dir has a rule of its own. A
// pattern that ends in /... stands for a directory and everything below it.
type rule struct {
	dir string
	may []string
}

// rules are the direction of imports: fsm knows none of the others, cluster knows fsm and transport, resp knows the
// vocabulary of fsm and asks for a cluster by an interface of its own, cmd wires.
var rules = []rule{
	{"fsm/command", nil},
	{"fsm", []string{"fsm/...", "internal/glob", "internal/splitargs"}},
	{"transport", []string{"transport/..."}},
	{"cluster", []string{"fsm", "fsm/command", "transport"}},
	{"cluster/storage", []string{"cluster/storage/..."}},
	{"cluster/simtest", []string{"cluster", "fsm", "fsm/command", "transport"}}, // a helper of tests
	{"resp", []string{"fsm/command", "resp/...", "internal/config", "internal/glob", "internal/splitargs"}},
	{"resp/resptest", []string{"fsm/...", "resp", "internal/..."}}, // a helper of tests
	{"cmd", []string{"cmd/...", "cluster", "cluster/storage", "fsm/...", "internal/collector", "internal/config", "internal/respclient", "resp", "transport"}},
	{"integration", []string{"integration/...", "internal/...", "fsm/command"}}, // sees the program from outside
	{"internal", []string{"internal/...", "fsm/command"}},
}

func ruleOf(dir string) (rule, bool) {
	var best rule
	found := false
	for _, r := range rules {
		if (dir == r.dir || strings.HasPrefix(dir, r.dir+"/")) && len(r.dir) >= len(best.dir) {
			best, found = r, true
		}
	}
	return best, found
}

func (r rule) allows(dir string) bool {
	for _, may := range r.may {
		below, all := strings.CutSuffix(may, "/...")
		if dir == may || all && (dir == below || strings.HasPrefix(dir, below+"/")) {
			return true
		}
	}
	return false
}

func TestImportsRunOneWay(t *testing.T) {
	for _, f := range sources(t, ".") {
		r, ok := ruleOf(f.dir)
		if !ok {
			t.Errorf("%s: no rule for this directory: say in rules what it may import", f.dir)
			continue
		}
		for _, im := range f.tree.Imports {
			dir, ours := strings.CutPrefix(strings.Trim(im.Path.Value, `"`), module+"/")
			if ours && !r.allows(dir) {
				t.Errorf("%s: %s must not import %s", f.position(im), r.dir, dir)
			}
		}
	}
}

func TestRules(t *testing.T) {
	for _, tc := range []struct {
		from, to string
		want     bool
	}{
		{"fsm", "fsm/command", true},
		{"fsm/internal/zset", "fsm/command", true},
		{"fsm", "cluster", false},
		{"fsm/command", "internal/glob", false},
		{"cluster", "cluster/storage", false},
		{"cluster/storage", "cluster", false},
		{"cluster", "resp", false},
		{"resp", "fsm", false},
		{"resp", "cluster", false},
		{"transport", "fsm", false},
		{"cmd/redoubt", "resp", true},
		{"internal/config", "resp", false},
	} {
		r, ok := ruleOf(tc.from)
		if got := ok && r.allows(tc.to); got != tc.want {
			t.Errorf("%s may import %s: %v", tc.from, tc.to, got)
		}
	}
	if _, ok := ruleOf("fsmother"); ok {
		t.Error("a rule took a directory whose name only begins like its own")
	}
}
