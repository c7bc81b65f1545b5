package resp

import "github.com/redoubtdb/redoubt/fsm/command"

// systemCommands are those that COMMAND DOCS marks as not for applications.
var systemCommands = map[string]bool{"debug": true, "pfdebug": true, "pfselftest": true, "restore-asking": true}

// commandDocs is COMMAND DOCS: what the table says to people. Names that are no command are left out.
func commandDocs(c *conn, args [][]byte) {
	specs := c.srv.table.All()
	if len(args) > 2 {
		specs = nil
		for _, a := range args[2:] {
			if s := c.named(a); s != nil {
				specs = append(specs, s)
			}
		}
	}
	c.document(specs)
}

// document writes a map of names to documentation.
func (c *conn) document(specs []*command.Spec) {
	c.w.Map(len(specs))
	for _, s := range specs {
		c.w.BulkString(s.Name)
		c.documentOne(s)
	}
}

func (c *conn) documentOne(s *command.Spec) {
	texts := [][2]string{{"summary", s.Summary}, {"since", s.Since}, {"group", s.Group}}
	if s.Complexity != "" {
		texts = append(texts, [2]string{"complexity", s.Complexity})
	}
	n, flags := len(texts), docFlags(s)
	if len(flags) > 0 {
		n++
	}
	for _, v := range []string{s.Deprecated, s.ReplacedBy} {
		if v != "" {
			n++
		}
	}
	if len(s.Subcommands) > 0 {
		n++
	}
	c.w.Map(n)
	for _, t := range texts {
		c.w.BulkString(t[0])
		c.w.BulkString(t[1])
	}
	if len(flags) > 0 {
		c.w.BulkString("doc_flags")
		c.statuses("", flags)
	}
	if s.Deprecated != "" {
		c.w.BulkString("deprecated_since")
		c.w.BulkString(s.Deprecated)
	}
	if s.ReplacedBy != "" {
		c.w.BulkString("replaced_by")
		c.w.BulkString(s.ReplacedBy)
	}
	if len(s.Subcommands) > 0 {
		c.w.BulkString("subcommands")
		c.document(s.Subcommands)
	}
}

func docFlags(s *command.Spec) (flags []string) {
	if s.Deprecated != "" {
		flags = append(flags, "deprecated")
	}
	if systemCommands[s.Name] {
		flags = append(flags, "syscmd")
	}
	return flags
}
