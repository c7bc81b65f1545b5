package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// impurePackages are what the state machine must not import, each with everything below it: clocks and chance come in
// with the log entry, and nothing goes out but replies.
var impurePackages = []string{
	"math/rand", "crypto/rand", "hash/maphash", "net", "os", "os/exec", "io/ioutil", "syscall", "runtime", "log", "context",
	"golang.org/x/sys", "github.com/hashicorp/raft",
}

// clockNames are the names of package time that look at a clock or start a timer. Durations and dates are fine.
var clockNames = []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker", "Local", "LoadLocation"}

// impurities lists what a file of the state machine does that could differ between two nodes.
func impurities(f *file) []string {
	var out []string
	say := func(n ast.Node, format string, args ...any) {
		out = append(out, f.position(n)+": "+fmt.Sprintf(format, args...))
	}
	for _, im := range f.tree.Imports {
		p := strings.Trim(im.Path.Value, `"`)
		if slices.ContainsFunc(impurePackages, func(bad string) bool { return p == bad || strings.HasPrefix(p, bad+"/") }) {
			say(im, "imports %s", p)
		}
		if im.Name != nil && im.Name.Name == "." {
			say(im, "imports %s by a dot, which hides what is used of it", p)
		}
	}
	names := f.imports()
	ast.Inspect(f.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			say(n, "starts a goroutine")
		case *ast.SelectStmt:
			say(n, "has a select, which chooses by chance")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && names[x.Name] == "time" && slices.Contains(clockNames, n.Sel.Name) {
				say(n, "uses time.%s", n.Sel.Name)
			}
		}
		return true
	})
	return out
}

func TestStateMachineIsDeterministic(t *testing.T) {
	for _, f := range sources(t, "fsm") {
		for _, what := range impurities(f) {
			t.Error(what)
		}
	}
}

func TestImpuritiesAreFound(t *testing.T) {
	for src, want := range map[string]string{
		`import "time"; var d time.Duration = time.Second`:               "",
		`import "time"; func f() { _ = time.Now() }`:                     "uses time.Now",
		`import clock "time"; var f = clock.Since`:                       "uses time.Since",
		`import "math/rand/v2"; var f = rand.Int`:                        "imports math/rand/v2",
		`import "os"; var f = os.Getpid`:                                 "imports os",
		`import "net/url"; var f = url.Parse`:                            "imports net/url",
		`import . "time"; var f = Now`:                                   "by a dot",
		`func f() { go f() }`:                                            "starts a goroutine",
		`func f(a, b chan int) { select { case <-a: case <-b: } }`:       "has a select",
		`import "math"; type rand struct{ Now int }; var x = rand{}.Now`: "",
	} {
		got := strings.Join(impurities(parse(t, "fsm", "x.go", "package fsm\n"+src)), "; ")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q", src, got)
		}
	}
}
