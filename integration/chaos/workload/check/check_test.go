package check

import (
	"strings"
	"testing"
)

// judge fails the test unless the violations are as wanted: none, or one that holds a text.
func judge(t *testing.T, got []string, want string) {
	t.Helper()
	all := strings.Join(got, "\n")
	switch {
	case want == "" && all != "":
		t.Errorf("a good history is called bad:\n%s", all)
	case want != "" && !strings.Contains(all, want):
		t.Errorf("%q is not found; what is:\n%s", want, all)
	}
}

// from and to make spans of hand-made histories, in milliseconds.
func span(from, to int64) Span { return Span{from * 1e6, to * 1e6} }
