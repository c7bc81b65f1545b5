package script

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

// ErrSyntax is wrapped by every error of Parse.
var ErrSyntax = errors.New("script syntax")

// lineBytesMax bounds a line of a script; argBytesMax what a repetition makes.
const (
	lineBytesMax = 1 << 20
	argBytesMax  = 64 << 20
)

type stepKind uint8

const (
	stepText stepKind = iota // a comment or an empty line
	stepServer
	stepNeeds
	stepSince
	stepProto
	stepConn
	stepDB
	stepWait
	stepBlocked
	stepSend // a command whose reply comes later
	stepAwait
	stepCommand
)

// step is a line that does something, or a line to keep.
type step struct {
	kind stepKind
	line int    // from 1
	text string // the line as written
	name string // stepConn, stepNeeds, stepSince, stepAwait
	n    int    // stepProto, stepDB, stepBlocked
	wait time.Duration
	args []string
	mask string // "", or a marker without its tilde
	want string // the reply that the script expects
}

// Script is a parsed script.
type Script struct {
	// Name is the file's name without its directory.
	Name string
	// Server says that it needs a server.
	Server bool
	// Needs are commands, in lower case, that the script cannot do without.
	Needs []string
	// Since is the version of Redis that the script is about; "": 7.0, which is there to ask.
	Since string
	steps []step
}

// Load parses every *.txt of a directory, in the order of their names.
func Load(dir string) ([]*Script, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, fmt.Errorf("scripts: %w", err)
	}
	sort.Strings(names)
	var out []*Script
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("scripts: %w", err)
		}
		s, err := Parse(filepath.Base(name), f)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// Parse reads a script.
func Parse(name string, r io.Reader) (*Script, error) {
	s := &Script{Name: name}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, lineBytesMax)
	for line := 1; sc.Scan(); line++ {
		if err := s.addLine(line, sc.Text()); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// Commands lists what the script sends: the lower-case first words, and "first|second" where there is a second.
func (s *Script) Commands() []string {
	var out []string
	for i := range s.steps {
		a := s.steps[i].args
		if len(a) > 1 && strings.EqualFold(a[0], send) {
			a = a[1:]
		}
		if len(a) == 0 {
			continue
		}
		name := strings.ToLower(a[0])
		if name == scanAll {
			name = "scan"
		}
		out = append(out, name)
		if len(a) > 1 {
			out = append(out, name+"|"+strings.ToLower(a[1]))
		}
	}
	return out
}

func (s *Script) addLine(line int, text string) error {
	st := step{line: line, text: text}
	switch {
	case strings.TrimSpace(text) == "" || strings.HasPrefix(text, "# "):
	case strings.HasPrefix(text, "@"):
		if err := st.directive(); err != nil {
			return err
		}
		s.Server = s.Server || st.kind == stepServer
		switch st.kind {
		case stepNeeds:
			s.Needs = append(s.Needs, st.name)
		case stepSince:
			s.Since = st.name
		}
	case strings.HasPrefix(text, "& "):
		if err := st.command(); err != nil {
			return err
		}
		st.kind = stepSend
	case strings.HasPrefix(text, "> "):
		if err := st.command(); err != nil {
			return err
		}
	default:
		return s.addReply(text)
	}
	s.steps = append(s.steps, st)
	return nil
}

// addReply takes a line that follows a command as its reply.
func (s *Script) addReply(text string) error {
	if n := len(s.steps); n > 0 && s.steps[n-1].replies() && s.steps[n-1].want == "" {
		s.steps[n-1].want = text
		return nil
	}
	return fmt.Errorf("%w: a reply without a command: %q", ErrSyntax, text)
}

// replies reports whether a reply follows the step.
func (st *step) replies() bool { return st.kind == stepCommand || st.kind == stepAwait }

func (st *step) directive() error {
	word, arg, _ := strings.Cut(st.text[1:], " ")
	var err error
	switch word {
	case "server":
		st.kind = stepServer
	case "needs":
		st.kind, st.name = stepNeeds, arg
	case "since":
		st.kind, st.name = stepSince, arg
		_, err = version(arg)
	case "resp2", "resp3":
		st.kind, st.n = stepProto, int(word[4]-'0')
	case "conn":
		st.kind, st.name = stepConn, arg
	case "await":
		st.kind, st.name = stepAwait, arg
	case "blocked":
		st.kind = stepBlocked
		st.n, err = strconv.Atoi(arg)
	case "db":
		st.kind = stepDB
		st.n, err = strconv.Atoi(arg)
	case "wait":
		st.kind = stepWait
		st.wait, err = time.ParseDuration(arg)
	default:
		err = errors.New("unknown directive")
	}
	if err != nil {
		return fmt.Errorf("%w: @%s: %w", ErrSyntax, word, err)
	}
	return nil
}

func (st *step) command() error {
	st.kind = stepCommand
	text := st.text[2:]
	if i := strings.LastIndex(text, "  ~"); i >= 0 {
		text, st.mask = text[:i], text[i+3:]
		if !knownMask(st.mask) {
			return fmt.Errorf("%w: unknown marker ~%s", ErrSyntax, st.mask)
		}
	}
	var err error
	st.args, err = splitArgs(text)
	if err == nil && len(st.args) == 0 {
		err = fmt.Errorf("%w: no command", ErrSyntax)
	}
	return err
}

// splitArgs splits a command line.
func splitArgs(s string) ([]string, error) {
	var out []string
	for {
		s = strings.TrimLeft(s, " ")
		if s == "" {
			return out, nil
		}
		var arg string
		if s[0] == '"' {
			quoted, err := strconv.QuotedPrefix(s)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
			}
			if arg, err = strconv.Unquote(quoted); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
			}
			s = s[len(quoted):]
		} else {
			word, rest, _ := strings.Cut(s, " ")
			var err error
			if arg, err = repeat(word); err != nil {
				return nil, err
			}
			s = rest
		}
		out = append(out, arg)
	}
}

// repeat reads {text*count}.
func repeat(word string) (string, error) {
	star := strings.LastIndexByte(word, '*')
	if len(word) < 5 || word[0] != '{' || word[len(word)-1] != '}' || star < 2 {
		return word, nil
	}
	n, err := strconv.Atoi(word[star+1 : len(word)-1])
	if err != nil {
		return word, nil
	}
	if n < 0 || n > argBytesMax/(star-1) {
		return "", fmt.Errorf("%w: %s makes more than %d bytes", ErrSyntax, word, argBytesMax)
	}
	return strings.Repeat(word[1:star], n), nil
}
