package config

import (
	"errors"
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/internal/glob"
)

// Hook carries out a change of one setting: old and new are the values as CONFIG GET prints them, which are equal only where
// it does not print all (notify-keyspace-events), and the getters answer the new value already. An error refuses the change; its text, without a code, becomes part of the
// reply. A hook that fails must leave everything as it was. If a later one fails it is called again with the values
// exchanged. Hooks run one at a time; they may use getters and nothing else of the Config.
type Hook func(old, new string) error

// OnChange registers a hook for a setting, by name or alias. Hooks of one setting run in the order of registration. A
// setting that changes WhenHooked can be set at run time from now on. A name that is unknown or never changes panics.
func (c *Config) OnChange(name string, hook Hook) {
	r, ok := byName[name]
	if !ok || table[r.index].Change >= Kept {
		panic("config: no changeable setting is named " + name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hooks[r.index] = append(c.hooks[r.index], hook)
}

// Get answers CONFIG GET: the names that match, each once, and their values. A word without the characters *?[ is a
// name and comes back as it was written; a pattern finds names and aliases in alphabetical order. The case of letters
// does not matter. A word that matches nothing is skipped.
func (c *Config) Get(patterns ...string) [][2]string {
	var out [][2]string
	seen := make(map[string]bool)
	add := func(r ref, shown string) {
		if !seen[r.name] {
			seen[r.name] = true
			out = append(out, [2]string{shown, c.String(table[r.index].Name)})
		}
	}
	for _, p := range patterns {
		if !glob.HasMeta(p) {
			if r, ok := find(p); ok {
				add(r, p)
			}
			continue
		}
		for _, r := range names {
			if !table[r.index].Hidden && glob.Match(p, r.name, true) {
				add(r, r.name)
			}
		}
	}
	return out
}

// Set answers CONFIG SET with all of its pairs of name and value: either all are set and carried out, or nothing
// changes and the error is a SetError, whose text is the reply. local says that the client is on this machine, for
// protected settings.
func (c *Config) Set(pairs [][2]string, local bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	refs, err := c.settable(pairs, local)
	if err != nil {
		return err
	}
	before := c.values()
	after := slices.Clone(before)
	for i, p := range pairs {
		index := refs[i].index
		if !c.changes(index) {
			continue // it is the value that is there
		}
		v, err := table[index].parseSet(after[index], p[1])
		if err != nil {
			return setError(refs[i].name, err.Error(), ErrInvalidValue)
		}
		after[index] = v
	}
	c.commit(after)
	return c.carryOut(refs, before, after)
}

// settable checks the names. Redis reports the first that it cannot set, before it looks at any value. A setting named
// by two of its names is not seen as a duplicate there either.
func (c *Config) settable(pairs [][2]string, local bool) ([]ref, error) {
	refs := make([]ref, 0, len(pairs))
	seen := make(map[string]bool, len(pairs))
	for _, p := range pairs {
		r, ok := find(p[0])
		if !ok {
			return nil, &SetError{
				Text: "ERR Unknown option or number of arguments for CONFIG SET - '" + shorten(p[0]) + "'",
				Err:  ErrUnknown,
			}
		}
		s := table[r.index]
		switch {
		case s.Protected && !c.protectedAllowed(local):
			return nil, setError(r.name, "can't set protected config", ErrProtected)
		case !c.changes(r.index) && (s.Change == Never || !c.has(r.index, p[1])):
			return nil, setError(r.name, "can't set immutable config", ErrImmutable)
		case seen[r.name]:
			return nil, setError(r.name, "duplicate parameter", ErrDuplicate)
		}
		seen[r.name] = true
		refs = append(refs, r)
	}
	return refs, nil
}

// changes reports whether a setting can get another value.
func (c *Config) changes(index int) bool {
	switch table[index].Change {
	case Always:
		return true
	case WhenHooked:
		return len(c.hooks[index]) > 0
	}
	return false
}

// has reports whether a text stands for the value that a setting has.
func (c *Config) has(index int, text string) bool {
	s := table[index]
	v, err := s.parseSet(c.cells[index].val.Load(), text)
	return err == nil && v.text == c.String(s.Name)
}

func (c *Config) protectedAllowed(local bool) bool {
	switch c.String("enable-protected-configs") {
	case "yes":
		return true
	case "local":
		return local
	}
	return false
}

// carryOut runs the hooks of what changed, in the order of the pairs, and takes everything back if one fails.
func (c *Config) carryOut(refs []ref, before, after []*value) error {
	var undo []func() error
	done := make(map[int]bool, len(refs))
	for _, r := range refs {
		was, is := before[r.index].text, after[r.index].text
		if done[r.index] || was == is && before[r.index].letters == after[r.index].letters {
			continue
		}
		done[r.index] = true
		for _, hook := range c.hooks[r.index] {
			if err := hook(was, is); err != nil {
				c.commit(before)
				return setError(r.name, err.Error(), errors.Join(ErrApply, err, runBackwards(undo)))
			}
			undo = append(undo, func() error { return hook(is, was) })
		}
	}
	return nil
}

func runBackwards(undo []func() error) error {
	var errs []error
	for _, f := range slices.Backward(undo) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

func setError(name, why string, kind error) error {
	why = strings.NewReplacer("\r", " ", "\n", " ").Replace(why)
	return &SetError{
		Text: "ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + why,
		Err:  kind,
	}
}
