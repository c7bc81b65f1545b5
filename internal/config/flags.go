package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// BindFlags adds a flag for every setting and every alias. Flags for old names and for settings without effect work
// but stay out of the help text. Every flag takes a value, "--protected-mode no" as in Redis, except that a few switches
// of our own (bootstrap) may stand alone; "--bootstrap=no" needs the sign then. It panics if the set
// has a flag of such a name already.
func BindFlags(fs *pflag.FlagSet) {
	for _, s := range table {
		v := &flagValue{s: s}
		for _, name := range append([]string{s.Name}, s.Aliases...) {
			f := fs.VarPF(v, name, "", s.usage())
			if s.bare {
				f.NoOptDefVal = "yes"
			}
			f.Hidden = s.NoEffect != "" || s.Hidden || name != s.Name && name != "data-dir"
		}
	}
}

// ApplyFlags sets what was given on the command line, over a file that was loaded before. A shorthand gives way to the
// flags that it stands for. The values stay as they were if it fails.
func (c *Config) ApplyFlags(fs *pflag.FlagSet) ([]Warning, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := newLoader(c.values())
	for _, shorthand := range []bool{true, false} {
		for i, s := range table {
			if (s.expand != nil) != shorthand {
				continue
			}
			if err := l.applyFlag(fs, ref{i, s.Name}); err != nil {
				return nil, err
			}
		}
	}
	c.commit(l.vals)
	return l.warnings, nil
}

func (l *loader) applyFlag(fs *pflag.FlagSet, r ref) error {
	s := table[r.index]
	f := fs.Lookup(s.Name)
	if f == nil {
		return nil
	}
	given, ok := f.Value.(*flagValue)
	if !ok {
		return nil
	}
	for _, raw := range given.raw {
		if err := l.assign(r, []string{raw}); err != nil {
			return fmt.Errorf("%w: %s", ErrInvalidValue, s.explain(s.Name, []string{raw}, err))
		}
	}
	if len(given.raw) > 0 && s.NoEffect != "" {
		l.warnings = append(l.warnings, Warning{Name: s.Name, Reason: s.NoEffect})
	}
	return nil
}

// flagValue keeps what was given for one setting, under whichever of its names.
type flagValue struct {
	s   *Setting
	raw []string
}

// Set checks the value at once, so that the error names the flag as the user wrote it.
func (f *flagValue) Set(raw string) error {
	if f.s.Kind == Bool {
		switch strings.ToLower(raw) {
		case "true":
			raw = "yes"
		case "false":
			raw = "no"
		}
	}
	if err := f.check(raw); err != nil {
		return errors.New("it takes " + f.s.Expects())
	}
	if !f.s.accumulate && !f.s.merge {
		f.raw = nil
	}
	f.raw = append(f.raw, raw)
	return nil
}

func (f *flagValue) check(raw string) error {
	if f.s.expand != nil {
		_, err := f.s.expand(raw)
		return err
	}
	_, err := f.s.parse(nil, []string{raw})
	return err
}

// String is the default until the flag is given: the help text shows it.
func (f *flagValue) String() string {
	switch {
	case f.s == nil: // pflag asks the zero value
		return ""
	case len(f.raw) == 0:
		return f.s.Default
	case f.s.Sensitive:
		return masked
	}
	return strings.Join(f.raw, " ")
}

// Type stands for the value in the help text.
func (f *flagValue) Type() string {
	switch f.s.Kind {
	case Bool:
		return "yes|no"
	case Int:
		if f.s.Unit != "" {
			return f.s.Unit
		}
		return "int"
	case Memory, Percent:
		return "bytes"
	case Enum:
		return strings.Join(f.s.Enum, "|")
	default:
		return "string"
	}
}

func (s *Setting) usage() string {
	if s.NoEffect != "" {
		return s.Doc + " (no effect: " + s.NoEffect + ")"
	}
	return s.Doc
}
