package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const sampleOutput = `Starting test server at port 24764
[ready]: 4711
Testing unit/type/string
[ok]: SET and GET an item (1 ms)
[ok]: MGET (0 ms)
[err]: MGET command gets confused in tests/unit/type/string.tcl
Expected '' to be equal to 'x' (context: type eval line 3 cmd {assert_equal x {}} proc ::test)
    while executing
"assert_equal x {}"
[err]: MGET against non-string key in tests/unit/type/string.tcl
n command 'sadd', with args beginning with: 'myset{t}' 'ciao'
    while executing
[err]: a user in tests/unit/type/string.tcl
n subcommand 'setuser'. Try ACL HELP.
[ignore]: Big strings: large memory flag not provided
[skip]: Another
[ok]: [SETEX] in brackets (3 ms)
[1/1 done]: unit/type/string (2 seconds)

                   The End

Execution time of different units:
  2 seconds - unit/type/string

!!! WARNING The following tests failed:

*** [err]: MGET command gets confused in tests/unit/type/string.tcl
[ok]: what stands behind the end does not count
`

func TestParseOutput(t *testing.T) {
	res := parseOutput(sampleOutput)
	if res.ok != 3 || res.broken != "" {
		t.Errorf("%d ok, broken %q", res.ok, res.broken)
	}
	if len(res.errors) != 1 || !strings.HasPrefix(res.errors[0],
		"MGET command gets confused in tests/unit/type/string.tcl: Expected '' to be equal to 'x'") ||
		strings.Contains(res.errors[0], "while executing") {
		t.Errorf("errors %q", res.errors)
	}
	if absent := slices.Sorted(maps.Keys(res.absent)); res.unknown != 2 || !slices.Equal(absent, []string{"ACL SETUSER", "SADD"}) {
		t.Errorf("%d checks without commands, %q", res.unknown, absent)
	}
}

func TestParseOutputThatBreaksOff(t *testing.T) {
	for text, want := range map[string]string{
		"[ok]: a (1 ms)\n[exception]: Executing test client: I/O error.\nI/O error\n": "Executing test client: I/O error.",
		"[ok]: a (1 ms)\n[TIMEOUT]: clients state report follows.\n":                  "the suite gave up waiting",
		"[ok]: a (1 ms)\n": "it ended without a word",
		"[ok]: a (1 ms)\n[exception]: " + strings.Repeat("é", errorBytesShow): strings.Repeat("é", errorBytesShow/2) + "...",
	} {
		if res := parseOutput(text); res.ok != 1 || res.broken != want {
			t.Errorf("%d ok, broken %q, want %q", res.ok, res.broken, want)
		}
	}
}

func TestBaseline(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.txt")
	want := baseline{"unit/type/string": 73, "unit/acl": 0}
	if err := want.write(path); err != nil {
		t.Fatal(err)
	}
	if got, err := readBaseline(path); err != nil || !maps.Equal(got, want) {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range []string{"unit/acl\n", "unit/acl x\n", "unit/acl -1\n"} {
		if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if b, err := readBaseline(path); err == nil {
			t.Errorf("%q: %v", bad, b)
		}
	}
}

// TestQuickFilesCount holds the quick files to the baseline in the tree: each has checks that pass on Redis.
func TestQuickFilesCount(t *testing.T) {
	base, err := readBaseline(baselineFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range quickFiles {
		if base[f] == 0 {
			t.Errorf("%s passes nothing on Redis", f)
		}
	}
}

func TestReport(t *testing.T) {
	r := report{base: baseline{"a": 10, "b": 10, "c": 5}, results: []result{
		{file: "a", ok: 12, took: 1500 * time.Millisecond}, // more than Redis counts as Redis's
		{file: "b", ok: 4, errors: slices.Repeat([]string{"wrong | answer"}, errorsShow+2), broken: "not done after 3m0s",
			unknown: 2, absent: map[string]bool{"SADD": true, "BLPOP": true}},
	}}
	text := r.markdown()
	for _, line := range []string{
		"| a | 12 | 10 | +2 | 0 | 1.5 |  |", "| b | 4 | 10 | -6 | 12 | 0.0 | not done after 3m0s |",
		"| all | 14 | 20 | -6 | | | 70.0 % |", "- commands that are not there, in checks: 2 (BLPOP, SADD)",
		"- wrong | answer", "- and 2 more",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("not in the report: %s\n%s", line, text)
		}
	}
	if err := r.judge(70); err != nil {
		t.Error(err)
	}
	if r.judge(70.1) == nil {
		t.Error("below the floor, and no error")
	}
	r.results[0].fault = "n2 has ended"
	if err := r.judge(0); err == nil || !strings.Contains(err.Error(), "n2 has ended") {
		t.Errorf("a node ended: %v", err)
	}
}

// scripted is a target that counts its starts.
type scripted struct {
	starts int
	checks []error // what check says, one after the other; nil then
}

func (s *scripted) start(context.Context) error          { s.starts++; return nil }
func (s *scripted) addr(context.Context) (string, error) { return "127.0.0.1:1", nil }
func (s *scripted) stop()                                {}
func (s *scripted) check(context.Context) (err error) {
	if len(s.checks) > 0 {
		err, s.checks = s.checks[0], s.checks[1:]
	}
	return err
}

// TestRunner: a file that breaks off is tried again on fresh servers, and a fault is never lost.
func TestRunner(t *testing.T) {
	dir := t.TempDir()
	program := "#!/bin/sh\nif [ $6 = b ] && [ ! -e tried ]; then touch tried; echo '[exception]: no'; exit 1; fi\n" +
		"echo '[ok]: one (1 ms)'; echo '" + markEnd + "'\n"
	if err := os.WriteFile(filepath.Join(dir, "runtest"), []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	target := &scripted{checks: []error{nil, fmt.Errorf("%w: a node ended", errFault)}}
	r := &runner{suite: &suite{dir: dir, output: dir, limit: time.Minute}, target: target, progress: io.Discard}
	results, err := r.run(t.Context(), []string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	if target.starts != 2 { // at first, and after the fault
		t.Errorf("%d starts", target.starts)
	}
	for i, want := range []string{"", "; fault: a node ended; first try: no", ""} {
		if got := results[i].remark(); got != want || results[i].ok != 1 {
			t.Errorf("%s: %d ok%s, want%s", results[i].file, results[i].ok, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, bad := range [][]string{
		{"-quick", "unit/acl"}, {"-limit", "0s"}, {"-floor", "101"}, {"-floor", "NaN"}, {"-port", "80"}, {"-port", "65000"},
	} {
		if _, err := parseOptions(bad, io.Discard); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
	o, err := parseOptions([]string{"-server-args", "--a b", "unit/acl"}, io.Discard)
	if err != nil || !slices.Equal(o.files, []string{"unit/acl"}) || !slices.Equal(o.serverArgs, []string{"--a", "b"}) {
		t.Errorf("%+v %v", o, err)
	}
}
