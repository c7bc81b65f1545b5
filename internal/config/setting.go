package config

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind says how a setting's value is written and which getter reads it.
type Kind uint8

// The kinds.
const (
	Bool    Kind = iota // yes or no: Config.Bool
	Int                 // decimal: Config.Int, and Config.Duration where Unit is a time
	Memory              // bytes, with k (1000), kb (1024), m, mb, g, gb: Config.Bytes
	Percent             // Memory, or "N%" which Config.Bytes reports as -N
	Octal               // permission bits: Config.Int
	Enum                // one of Setting.Enum, in any case: Config.String; Config.Int is the index
	EnumSet             // some of Setting.Enum, separated by spaces: Config.Words; Config.Int has bit i for Enum[i]
	Text                // Config.String
	Words               // words separated by spaces: Config.Words
	Special             // a grammar of its own: Config.String
)

// Change says whether CONFIG SET may change a setting.
type Change uint8

// The ways of changing.
const (
	// Always: whoever uses the setting reads it each time.
	Always Change = iota
	// WhenHooked: only where OnChange has registered somebody who carries the change out; as Kept otherwise.
	WhenHooked
	// Kept: fixed at the start. CONFIG SET may name the value that the setting has, as tools do that write back all that
	// they have read: Redis lets them do so with everything but what it calls immutable.
	Kept
	// Never: fixed at the start, and immutable in Redis as well.
	Never
)

// Setting is one line of the table. It is read-only.
type Setting struct {
	Name    string
	Aliases []string // further names that mean the same, most of them old Redis names
	Kind    Kind
	Default string   // as CONFIG GET prints it
	Min     int64    // for Int, Memory, Percent and Octal
	Max     int64    // for Int, Memory, Percent and Octal
	Enum    []string // for Enum and EnumSet, in the order in which Redis lists them
	Unit    string   // "", or what a number counts: "s", "ms", "us", "bytes", "entries"...
	Doc     string   // one line
	Change  Change
	// Sensitive values never appear in logs, errors or warnings.
	Sensitive bool
	// Protected settings can be set at run time only as enable-protected-configs allows.
	Protected bool
	// Hidden settings are found by their name but not by a pattern.
	Hidden bool
	// Agree: all nodes of a cluster must have the same value.
	Agree bool
	// NoEffect is empty for a setting that means here what it says. A setting accepted for compatibility only, so that
	// clients and old files find it, says here why it has no effect.
	NoEffect string

	expects    string                                          // for errors; empty: derived from the kind
	bare       bool                                            // as a flag it may stand without a value: yes
	accumulate bool                                            // repeated lines of one file add up
	merge      bool                                            // a new value changes parts of the old one
	check      func(*value) error                              // after parsing
	fix        func(int64) int64                               // clamps a number that Redis clamps
	special    func(old *value, args []string) (*value, error) // for Special
	lines      func(*value) []string                           // for CONFIG REWRITE where one value takes several lines
	expand     func(arg string) ([][2]string, error)           // a shorthand: the settings that it stands for
}

const (
	maxI32 = math.MaxInt32
	maxU32 = math.MaxUint32
	maxI64 = math.MaxInt64
)

func boolean(name string, on bool, doc string) *Setting {
	return &Setting{Name: name, Kind: Bool, Default: yesNo(on), Doc: doc}
}

func integer(name string, def, lo, hi int64, unit, doc string) *Setting {
	return &Setting{Name: name, Kind: Int, Default: strconv.FormatInt(def, 10), Min: lo, Max: hi, Unit: unit, Doc: doc}
}

func memory(name string, def, lo, hi int64, doc string) *Setting {
	return &Setting{
		Name: name, Kind: Memory, Default: strconv.FormatInt(def, 10), Min: lo, Max: hi, Unit: "bytes", Doc: doc,
	}
}

func enum(name, def, doc string, words ...string) *Setting {
	return &Setting{Name: name, Kind: Enum, Default: def, Enum: words, Doc: doc}
}

func text(name, def, doc string) *Setting {
	return &Setting{Name: name, Kind: Text, Default: def, Doc: doc}
}

func words(name, def, doc string) *Setting {
	return &Setting{Name: name, Kind: Words, Default: def, Doc: doc}
}

func special(name, def, expects, doc string, parse func(*value, []string) (*value, error)) *Setting {
	return &Setting{Name: name, Kind: Special, Default: def, expects: expects, Doc: doc, special: parse}
}

func (s *Setting) also(names ...string) *Setting { s.Aliases = names; return s }
func (s *Setting) fixed() *Setting               { s.Change = Never; return s }
func (s *Setting) kept() *Setting                { s.Change = Kept; return s }
func (s *Setting) hooked() *Setting              { s.Change = WhenHooked; return s }
func (s *Setting) secret() *Setting              { s.Sensitive = true; return s }
func (s *Setting) protected() *Setting           { s.Protected = true; return s }
func (s *Setting) hidden() *Setting              { s.Hidden = true; return s }
func (s *Setting) agreed() *Setting              { s.Agree = true; return s }
func (s *Setting) noEffect(why string) *Setting  { s.NoEffect = why; return s }
func (s *Setting) adding() *Setting              { s.accumulate = true; return s }

func (s *Setting) writtenAs(lines func(*value) []string) *Setting {
	s.lines = lines
	return s
}

func (s *Setting) standsAlone() *Setting { s.bare = true; return s }

func (s *Setting) merging() *Setting { s.merge = true; return s }

func (s *Setting) clamped(fix func(int64) int64) *Setting { s.fix = fix; return s }

func (s *Setting) shorthand(expand func(string) ([][2]string, error)) *Setting {
	s.expand = expand
	return s
}

func (s *Setting) checked(expects string, check func(*value) error) *Setting {
	s.expects, s.check = expects, check
	return s
}

// multi says that a line may give the value as several words.
func (s *Setting) multi() bool { return s.Kind == Words || s.Kind == Special || s.Kind == EnumSet }

// period is the time that one unit of the number stands for, 0 if it counts no time.
func (s *Setting) period() time.Duration {
	switch s.Unit {
	case "s":
		return time.Second
	case "ms":
		return time.Millisecond
	case "us":
		return time.Microsecond
	}
	return 0
}

// Expects describes the values that the setting takes, to follow the words "it takes".
func (s *Setting) Expects() string {
	if s.expects != "" {
		return s.expects
	}
	switch s.Kind {
	case Bool:
		return "yes or no"
	case Int:
		return "an integer " + s.bounds()
	case Memory:
		return "a size in bytes (units k, kb, m, mb, g, gb) " + s.bounds()
	case Percent:
		return "a size in bytes (units k, kb, m, mb, g, gb) or a percentage up to 100%"
	case Octal:
		return "an octal number up to " + strconv.FormatInt(s.Max, 8)
	case Enum:
		return "one of " + strings.Join(s.Enum, ", ")
	case EnumSet:
		return "some of " + strings.Join(s.Enum, ", ")
	default:
		return "text of at most " + strconv.Itoa(valueBytesMax) + " bytes"
	}
}

func (s *Setting) bounds() string {
	if s.Max == maxI64 {
		return "of at least " + strconv.FormatInt(s.Min, 10)
	}
	return "from " + strconv.FormatInt(s.Min, 10) + " to " + strconv.FormatInt(s.Max, 10)
}

// ref is what a name leads to: a position in table, and the name in lower case as the table spells it.
type ref struct {
	index int
	name  string
}

var (
	table  = slices.Concat(networkSettings, serverSettings, dataSettings, redoubtSettings, compatSettings)
	byName = indexTable()
	// names has every name and alias in alphabetical order: the order of CONFIG GET *.
	names = sortedNames()
)

func indexTable() map[string]ref {
	m := make(map[string]ref, 2*len(table))
	for i, s := range table {
		for _, n := range append([]string{s.Name}, s.Aliases...) {
			if _, dup := m[n]; dup {
				panic("config: two settings are named " + n)
			}
			m[n] = ref{i, n}
		}
	}
	return m
}

func sortedNames() []ref {
	list := make([]ref, 0, len(byName))
	for _, r := range byName {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b ref) int { return strings.Compare(a.name, b.name) })
	return list
}

// Settings returns the table, in its order. The caller must not change what it points to.
func Settings() []*Setting { return slices.Clone(table) }

// Lookup finds a setting by name or alias, in any case.
func Lookup(name string) (*Setting, bool) {
	r, ok := find(name)
	if !ok {
		return nil, false
	}
	return table[r.index], true
}

func find(name string) (ref, bool) {
	r, ok := byName[strings.ToLower(name)]
	return r, ok
}
