package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/internal/glob"
	"github.com/redoubtdb/redoubt/internal/splitargs"
)

// Limits of configuration files.
const (
	fileBytesMax    = 1 << 20  // bytes of one file
	lineBytesMax    = 64 << 10 // bytes of one line
	includeDepthMax = 16       // files inside one another
	includeFilesMax = 256      // files in all
)

// unsupported directives would change what the server does if they were skipped, so they are errors.
var unsupported = map[string]string{
	"rename-command": "take commands away from users with ACL rules",
	"loadmodule":     "there are no modules",
	"sentinel":       "every node answers the questions of Sentinel by itself",
}

// ParseFile loads a file in the syntax of redis.conf over the present values, and remembers it for Rewrite. The values
// stay as they were if it fails; an error that belongs to a line is a FileError. Relative names in include directives
// start, as in Redis, at the working directory. The last of repeated directives wins, except that the lines of save
// and join add up, and each line of client-output-buffer-limit changes the classes that it names.
func (c *Config) ParseFile(path string) ([]Warning, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return c.load(path, abs, data)
}

// ParseReader loads a configuration from r as ParseFile does; name stands for the file in errors. Rewrite has no file
// to write then.
func (c *Config) ParseReader(name string, r io.Reader) ([]Warning, error) {
	data, err := readLimited(name, r)
	if err != nil {
		return nil, err
	}
	return c.load(name, "", data)
}

func (c *Config) load(name, path string, data []byte) ([]Warning, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := newLoader(c.values())
	if err := l.parse(name, data, 0); err != nil {
		return nil, err
	}
	c.commit(l.vals)
	c.directives = l.directives
	c.file = path
	return l.warnings, nil
}

// values is a copy of the slice of all values. The caller holds mu.
func (c *Config) values() []*value {
	vals := make([]*value, len(c.cells))
	for i := range c.cells {
		vals[i] = c.cells[i].val.Load()
	}
	return vals
}

// commit stores the values that differ from those in place. The caller holds mu.
func (c *Config) commit(vals []*value) {
	for i, v := range vals {
		if c.cells[i].val.Load() != v {
			c.cells[i].store(v)
		}
	}
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	defer f.Close()
	return readLimited(path, f)
}

func readLimited(name string, r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, fileBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("config: read %s: %w", name, err)
	}
	if len(data) > fileBytesMax {
		return nil, fmt.Errorf("%w: %s is larger than %d bytes", ErrLimit, name, fileBytesMax)
	}
	return data, nil
}

// loader gathers one pass over files or flags, so that nothing changes if the pass fails.
type loader struct {
	vals       []*value
	seen       []bool // assigned in this pass
	directives []Directive
	warnings   []Warning
	files      int
}

func newLoader(vals []*value) *loader { return &loader{vals: vals, seen: make([]bool, len(vals))} }

func (l *loader) parse(file string, data []byte, depth int) error {
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if err := l.line(file, number, line, depth); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) line(file string, number int, line []byte, depth int) error {
	fail := func(kind error, format string, args ...any) error {
		return &FileError{File: file, Line: number, Text: fmt.Sprintf(format, args...), Err: kind}
	}
	if len(line) > lineBytesMax {
		return fail(ErrLimit, "the line is longer than %d bytes", lineBytesMax)
	}
	args, err := lineWords(line)
	if err != nil {
		return fail(ErrSyntax, "%v", err)
	}
	if len(args) == 0 {
		return nil
	}
	name, args := strings.ToLower(args[0]), args[1:]
	switch name {
	case "include":
		return l.include(fail, args, depth)
	case "user":
		if len(args) == 0 {
			return fail(ErrInvalidValue, "'user' takes a name and rules")
		}
		l.directives = append(l.directives, Directive{file, number, args})
		return nil
	}
	if why, ok := unsupported[name]; ok {
		return fail(ErrUnsupported, "'%s' is not supported: %s", name, why)
	}
	r, ok := find(name)
	if !ok {
		return fail(ErrUnknown, "unknown directive %q", shorten(name))
	}
	if err := l.assign(r, args); err != nil {
		return fail(ErrInvalidValue, "%s", table[r.index].explain(r.name, args, err))
	}
	if why := table[r.index].NoEffect; why != "" {
		l.warnings = append(l.warnings, Warning{file, number, r.name, why})
	}
	return nil
}

// lineWords returns the words of a line, none for a blank line or a comment.
func lineWords(line []byte) ([]string, error) {
	line = bytes.Trim(line, " \t\r\n")
	if len(line) == 0 || line[0] == '#' {
		return nil, nil
	}
	split, err := splitargs.Split(line)
	if err != nil {
		return nil, err
	}
	args := make([]string, len(split))
	for i, w := range split {
		args[i] = string(w)
	}
	return args, nil
}

// assign gives a setting the value that args are.
func (l *loader) assign(r ref, args []string) error {
	s := table[r.index]
	if s.expand != nil {
		return l.assignShorthand(s, args)
	}
	var old *value
	if s.merge || s.accumulate && l.seen[r.index] {
		old = l.vals[r.index]
	}
	v, err := s.parse(old, args)
	if err != nil {
		return err
	}
	l.vals[r.index], l.seen[r.index] = v, true
	return nil
}

func (l *loader) assignShorthand(s *Setting, args []string) error {
	if len(args) != 1 {
		return wrongArity
	}
	pairs, err := s.expand(args[0])
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if err := l.assign(byName[p[0]], []string{p[1]}); err != nil {
			return err
		}
	}
	return nil
}

// include loads other files in place of the line. A pattern may match none.
func (l *loader) include(fail func(error, string, ...any) error, args []string, depth int) error {
	if len(args) != 1 {
		return fail(ErrInvalidValue, "'include' takes one file name or pattern")
	}
	if depth+1 >= includeDepthMax {
		return fail(ErrLimit, "files are included more than %d deep", includeDepthMax)
	}
	paths := args
	if glob.HasMeta(args[0]) {
		var err error
		if paths, err = filepath.Glob(args[0]); err != nil {
			return fail(ErrSyntax, "include %q: %v", args[0], err)
		}
		slices.Sort(paths)
	}
	for _, p := range paths {
		if l.files++; l.files > includeFilesMax {
			return fail(ErrLimit, "more than %d files are included", includeFilesMax)
		}
		data, err := readFile(p)
		if err != nil {
			return fail(err, "include: %s", strings.TrimPrefix(err.Error(), "config: "))
		}
		if err := l.parse(p, data, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// explain says what the setting takes and what it got.
func (s *Setting) explain(name string, args []string, err error) string {
	if errors.Is(err, wrongArity) && !s.multi() {
		return fmt.Sprintf("'%s' takes one value, got %d", name, len(args))
	}
	got := fmt.Sprintf("%q", shorten(strings.Join(args, " ")))
	if s.Sensitive {
		got = masked
	}
	return fmt.Sprintf("'%s' takes %s, got %s", name, s.Expects(), got)
}

const shownBytesMax = 64 // bytes of a refused value that an error repeats

func shorten(s string) string {
	if len(s) > shownBytesMax {
		return s[:shownBytesMax] + "..."
	}
	return s
}
