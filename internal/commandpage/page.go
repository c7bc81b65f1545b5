package commandpage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
)

const intro = `# Commands

This page is made from the table of commands by ` + "`go test ./internal/commandpage -rewrite`" + `; a test fails when it is out
of date. COMMAND INFO and COMMAND DOCS tell the same to clients. Replies, errors and the order in which they are checked are
those of Redis 7.0.15 in RESP2 and RESP3, unless a line says what differs; those of commands and options that came later are
what Redis documents. "In part" means that subcommands are missing.
`

// Page renders the reference of all commands in a table.
func Page(t *command.Table) string {
	var b strings.Builder
	b.WriteString(intro)
	groups := redisGroups()
	newer := make(map[string][]string)
	for _, g := range newerGroups() {
		newer[g.name] = g.commands
	}
	known := make(map[string]bool)
	for _, g := range groups {
		for _, name := range slices.Concat(g.commands, newer[g.name]) {
			known[name] = true
		}
	}
	for _, g := range groups {
		writeGroup(&b, t, g, newer[g.name], known)
	}
	writeOwn(&b, t, known)
	writeMissing(&b, t, groups)
	writeRefusals(&b)
	return b.String()
}

// writeGroup writes what is there of a group, among it what Redis 7.0 does not have: newer commands, and subcommands.
func writeGroup(b *strings.Builder, t *command.Table, g group, newer []string, known map[string]bool) {
	var rows []*command.Spec
	for _, name := range newer {
		if s := t.Get(name); s != nil {
			rows = append(rows, s)
		}
	}
	missing := make(map[string]bool) // containers
	for _, name := range g.commands {
		s := t.Get(name)
		if s == nil {
			container, _, _ := strings.Cut(name, "|")
			missing[container] = true
			continue
		}
		rows = append(rows, s)
		for _, sub := range s.Subcommands {
			if !known[sub.Name] {
				rows = append(rows, sub)
			}
		}
	}
	if len(rows) == 0 {
		return
	}
	slices.SortFunc(rows, func(a, b *command.Spec) int { return strings.Compare(a.Name, b.Name) })
	fmt.Fprintf(b, "\n## %s\n\n| command | since | supported | differs |\n| --- | --- | --- | --- |\n", title(g.name))
	for _, s := range rows {
		supported := "yes"
		if missing[s.Name] {
			supported = "in part"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", display(s.Name), s.Since, supported, differs[s.Name])
	}
}

// writeOwn writes the commands that Redis does not have.
func writeOwn(b *strings.Builder, t *command.Table, known map[string]bool) {
	b.WriteString("\n## Redoubt's own\n\n| command | since | what it does |\n| --- | --- | --- |\n")
	for _, s := range t.All() {
		if known[s.Name] {
			continue
		}
		for _, s := range append([]*command.Spec{s}, s.Subcommands...) {
			fmt.Fprintf(b, "| %s | %s | %s |\n", display(s.Name), s.Since, s.Summary)
		}
	}
}

// writeMissing lists what will come, by group. A container that is missing as a whole stands without its subcommands.
func writeMissing(b *strings.Builder, t *command.Table, groups []group) {
	b.WriteString("\n## Not there yet\n\n")
	some := false
	for _, g := range groups {
		var names []string
		for _, name := range g.commands {
			container, _, sub := strings.Cut(name, "|")
			if t.Get(name) == nil && !refused(name) && !(sub && t.Get(container) == nil) {
				names = append(names, display(name))
			}
		}
		if len(names) > 0 {
			some = true
			fmt.Fprintf(b, "- %s: %s\n", title(g.name), strings.Join(names, ", "))
		}
	}
	if !some {
		b.WriteString("Nothing: every other command of Redis 7.0 is there.\n")
	}
}

func refused(name string) bool {
	return slices.ContainsFunc(refusals, func(r refusal) bool { return slices.Contains(r.names, name) })
}

func writeRefusals(b *strings.Builder) {
	b.WriteString("\n## Without a meaning here\n\n| command | why |\n| --- | --- |\n")
	for _, r := range refusals {
		var names []string
		for _, n := range r.names {
			names = append(names, display(n))
		}
		fmt.Fprintf(b, "| %s | %s |\n", strings.Join(names, ", "), r.why)
	}
}

// display is a command as people write it.
func display(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "|", " ")) }

// titles are the groups whose name is not just spelled with a capital.
var titles = map[string]string{"sorted-set": "Sorted sets", "hyperloglog": "HyperLogLog", "pubsub": "Pub/sub"}

func title(name string) string {
	if t, ok := titles[name]; ok {
		return t
	}
	return strings.ToUpper(name[:1]) + name[1:]
}
