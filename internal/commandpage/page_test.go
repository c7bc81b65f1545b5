package commandpage

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/resp"
)

var rewrite = flag.Bool("rewrite", false, "write docs/COMMANDS.md anew")

const pagePath = "../../docs/COMMANDS.md"

var table = resp.BuildTable(fsm.Commands)

func TestPageIsFresh(t *testing.T) {
	page := Page(table)
	if *rewrite {
		if err := os.WriteFile(pagePath, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	there, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(there) != page {
		t.Error("docs/COMMANDS.md is out of date: go test ./internal/commandpage -rewrite")
	}
}

// TestNotesFit fails where a note is about no command of ours, and where a command that is there is said to have no
// meaning.
func TestNotesFit(t *testing.T) {
	for name := range differs {
		if table.Get(name) == nil {
			t.Errorf("a note is about %q, which is not there", name)
		}
	}
	var redis []string
	for _, g := range redisGroups() {
		redis = append(redis, g.commands...)
	}
	for _, r := range refusals {
		for _, name := range r.names {
			command, _, option := strings.Cut(name, " ")
			switch {
			case !slices.Contains(redis, command):
				t.Errorf("Redis has no %q", command)
			case option && table.Get(command) == nil:
				t.Errorf("an option of %q is refused, which is not there", command)
			case !option && table.Get(command) != nil:
				t.Errorf("%q is there, and said to have no meaning", command)
			}
		}
	}
}

// TestGroups holds the page's groups to those of the table.
func TestGroups(t *testing.T) {
	groups := redisGroups()
	seen := make(map[string]bool)
	for _, g := range groups {
		for _, name := range g.commands {
			if seen[name] {
				t.Errorf("%s stands twice", name)
			}
			seen[name] = true
			if s := table.Get(name); s != nil && s.Group != g.name {
				t.Errorf("%s is of group %s in the table and of %s on the page", name, s.Group, g.name)
			}
		}
	}
	for _, g := range newerGroups() {
		for _, name := range g.commands {
			if s := table.Get(name); seen[name] || s == nil || s.Group != g.name {
				t.Errorf("%s of group %s is not in the table, or no newer command", name, g.name)
			}
		}
	}
	if len(groups) != 16 || len(seen) != 366 {
		t.Errorf("%d groups with %d commands, Redis 7.0 has 16 with 366", len(groups), len(seen))
	}
}

func TestPageOfATable(t *testing.T) {
	tab := command.NewTable()
	tab.Add(&command.Spec{Name: "get", Since: "1.0.0"})
	tab.Add(&command.Spec{Name: "client", Since: "2.4.0", Subcommands: []*command.Spec{
		{Name: "client|id", Since: "5.0.0"}, {Name: "client|setinfo", Since: "7.2.0"},
	}})
	tab.Add(&command.Spec{Name: "ours", Since: "0.1.0", Summary: "Does much."})
	page := Page(tab)
	for _, line := range []string{
		"| GET | 1.0.0 | yes |  |", "| CLIENT | 2.4.0 | in part |  |", "| CLIENT ID | 5.0.0 | yes |  |",
		"| CLIENT SETINFO | 7.2.0 | yes | " + ofRedis72 + " |", "| OURS | 0.1.0 | Does much. |",
	} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("not on the page: %s", line)
		}
	}
	if strings.Contains(page, "## Hash") {
		t.Error("a group without commands has a table")
	}
	_, missing, _ := strings.Cut(page, "## Not there yet")
	for _, name := range []string{"CLIENT KILL", "- Hash: HDEL"} {
		if !strings.Contains(missing, name) {
			t.Errorf("not said to be missing: %s", name)
		}
	}
	if strings.Contains(missing, "XGROUP CREATE") {
		t.Error("a subcommand of a container that is missing is listed")
	}
}
