package main

import (
	"regexp"
	"strings"
	"time"
)

// result is what came of one file.
type result struct {
	file   string
	ok     int
	errors []string // one line each: the check and what was wrong
	// unknown are the checks that failed because they use commands that are not there, and absent those commands.
	unknown int
	absent  map[string]bool
	// broken says why the file did not come to its end; empty if it did.
	broken string
	// fault is a promise of ours that did not hold afterwards: a node that ended, or digests that differ.
	fault string
	// note is anything else that was wrong with the servers afterwards.
	note string
	took time.Duration
}

// The marks that begin what the suite says of a check. Whatever has none goes on with what was said before.
const (
	markOK        = "[ok]: "
	markError     = "[err]: "
	markException = "[exception]: "
	markTimeout   = "[TIMEOUT]: "
	markEnd       = "                   The End"
)

// errorBytesShow bounds an error's line in the report. All of it is in the suite's output.
const errorBytesShow = 240

// parseOutput reads what the suite printed, without colours.
func parseOutput(text string) result {
	var res result
	ended, open := false, false // open: the last error goes on
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == markEnd {
			ended = true
			break // what failed is repeated from here on
		}
		switch {
		case strings.HasPrefix(line, markOK):
			res.ok++
			open = false
		case strings.HasPrefix(line, markError):
			res.errors = append(res.errors, line[len(markError):])
			open = true
		case strings.HasPrefix(line, markException):
			res.broken = shorten(line[len(markException):])
			open = false
		case strings.HasPrefix(line, markTimeout):
			res.broken = "the suite gave up waiting"
			open = false
		case strings.HasPrefix(line, "["):
			open = false
		case open:
			last := &res.errors[len(res.errors)-1]
			*last += ": " + strings.TrimSpace(line)
			open = false // the second line says what was wrong, the others where
		}
	}
	res.sortErrors()
	if !ended && res.broken == "" {
		res.broken = "it ended without a word"
	}
	return res
}

// An unknown command's error as the suite shows it: it takes the first ten characters for a word of its own.
var (
	unknownCommand    = regexp.MustCompile(`n command '([^']+)', with args beginning with`)
	unknownSubcommand = regexp.MustCompile(`n subcommand '([^']+)'\. Try ([A-Z]+) HELP`)
)

// sortErrors counts those that are due to absent commands, and shortens the others.
func (r *result) sortErrors() {
	r.absent = make(map[string]bool)
	var others []string
	for _, e := range r.errors {
		if m := unknownCommand.FindStringSubmatch(e); m != nil {
			r.unknown++
			r.absent[strings.ToUpper(m[1])] = true
		} else if m := unknownSubcommand.FindStringSubmatch(e); m != nil {
			r.unknown++
			r.absent[strings.ToUpper(m[2]+" "+m[1])] = true
		} else {
			others = append(others, shorten(e))
		}
	}
	r.errors = others
}

func shorten(s string) string {
	if len(s) > errorBytesShow {
		return strings.ToValidUTF8(s[:errorBytesShow], "") + "..."
	}
	return s
}
