package command

import (
	"errors"
	"slices"
	"strings"
)

// ErrNoKeyArguments is returned for a command that never has keys, ErrKeyArguments for arguments in which its keys can't
// be found.
var (
	ErrNoKeyArguments = errors.New("the command has no key arguments")
	ErrKeyArguments   = errors.New("the keys cannot be found in the arguments")
)

// KeyRef is one key among a call's arguments: its position, and what the command does with it.
type KeyRef struct {
	Pos   int
	Flags KeyFlags
}

// HasKeys reports whether the command may have keys.
func (s *Spec) HasKeys() bool {
	return s.KeysFunc != nil || slices.ContainsFunc(s.Keys, func(k KeySpec) bool { return k.Flags&NotKey == 0 })
}

// FindKeys returns the keys of a call, in the order of the key specifications. args counts the name and has passed the
// arity check. The error is ErrNoKeyArguments or ErrKeyArguments; a command whose keys are optional may return none.
func (s *Spec) FindKeys(args [][]byte) ([]KeyRef, error) {
	if !s.HasKeys() {
		return nil, ErrNoKeyArguments
	}
	refs, exact := s.specKeys(args)
	if !exact && s.KeysFunc != nil {
		refs = s.funcKeys(args)
	}
	if len(refs) == 0 && !s.Is(NoMandatoryKeys) {
		return nil, ErrKeyArguments
	}
	for i := range refs {
		refs[i].Flags = s.preciseFlags(args, refs[i].Flags)
	}
	return refs, nil
}

// specKeys follows the key specifications. exact is false where they can't tell: malformed arguments, or a specification
// that is incomplete by its own word.
func (s *Spec) specKeys(args [][]byte) (refs []KeyRef, exact bool) {
	for i := range s.Keys {
		k := &s.Keys[i]
		if k.Flags&NotKey != 0 {
			continue
		}
		if k.Unknown() {
			return nil, false
		}
		first := k.begin(args)
		if first == 0 {
			continue // the keyword is not there, and so the keys are not
		}
		first, last, ok := k.find(args, first)
		if !ok || first >= len(args) || last >= len(args) || last < first || k.Flags&Incomplete != 0 {
			return nil, false
		}
		for p := first; p <= last; p += max(k.Step, 1) {
			refs = append(refs, KeyRef{p, k.Flags})
		}
	}
	return refs, len(s.Keys) > 0
}

// begin is the position at which a specification begins; 0: its keyword is not there.
func (k *KeySpec) begin(args [][]byte) int {
	if k.Keyword == "" {
		return k.Index
	}
	at, end, step := k.StartFrom, len(args)-1, 1
	if k.StartFrom < 0 {
		at, end, step = len(args)+k.StartFrom, 1, -1
	}
	for ; at > 0 && at < len(args) && at != end; at += step {
		if strings.EqualFold(string(args[at]), k.Keyword) {
			return at + 1
		}
	}
	return 0
}

// find is the range of keys of a specification that begins at position begin.
func (k *KeySpec) find(args [][]byte, begin int) (first, last int, ok bool) {
	switch {
	case k.KeyNum:
		if begin+k.KeyNumIndex >= len(args) {
			return 0, 0, false
		}
		n, ok := smallCount(args[begin+k.KeyNumIndex], len(args))
		first = begin + k.FirstKey
		return first, first + (n-1)*max(k.Step, 1), ok
	case k.Last >= 0:
		return begin, begin + k.Last, true
	case k.Limit > 1:
		return begin, begin + (len(args)-begin)/k.Limit + k.Last, true
	}
	return begin, len(args) + k.Last, true
}

// smallCount reads a number of keys, which is never more than limit.
func smallCount(b []byte, limit int) (n int, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int(c-'0'); n > limit {
			return 0, false
		}
	}
	return n, true
}

// funcKeys asks KeysFunc. What it finds outside the arguments is no key.
func (s *Spec) funcKeys(args [][]byte) []KeyRef {
	return slices.DeleteFunc(s.KeysFunc(args), func(k KeyRef) bool { return k.Pos <= 0 || k.Pos >= len(args) })
}

// preciseFlags says what this call does with its key where the specification says that it varies.
func (s *Spec) preciseFlags(args [][]byte, f KeyFlags) KeyFlags {
	if f&VariableFlags == 0 {
		return f
	}
	switch s.Name {
	case "set":
		if !hasWord(args[min(3, len(args)):], "get") {
			return OW | Update
		}
		return RW | Access | Update
	case "bitfield":
		if !hasWord(args[min(2, len(args)):], "set", "incrby") {
			return RO | Access
		}
		return RW | Access | Update
	}
	return f &^ VariableFlags
}

func hasWord(args [][]byte, words ...string) bool {
	return slices.ContainsFunc(args, func(a []byte) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, string(a)) })
	})
}

// KeyRange is the range that COMMAND printed before there were key specifications: the first key, the last (negative:
// counted from the end) and the step. All are 0 where specifications can't be told in this way.
func (s *Spec) KeyRange() (first, last, step int) {
	if len(s.Keys) == 1 && s.Keys[0].plain() {
		return s.Keys[0].Index, s.Keys[0].absoluteLast(), s.Keys[0].Step
	}
	for i := range s.Keys {
		k := &s.Keys[i]
		if !k.plain() {
			continue
		}
		if k.Step != 1 || (last != 0 && last != k.Index-1) {
			return 0, 0, 0 // a gap: no single range covers them
		}
		if first == 0 || k.Index < first {
			first = k.Index
		}
		// Negative positions lie behind all others.
		if end := k.absoluteLast(); uint(end) > uint(last) {
			last = end
		}
		step = 1
	}
	return first, last, step
}

// Unknown: there are such keys, but no rule says where. KeysFunc finds them.
func (k *KeySpec) Unknown() bool { return k.Keyword == "" && k.Index == 0 }

// plain: the keys are a range from a fixed position on.
func (k *KeySpec) plain() bool { return k.Keyword == "" && !k.KeyNum && !k.Unknown() }

func (k *KeySpec) absoluteLast() int {
	if k.Last >= 0 {
		return k.Index + k.Last
	}
	return k.Last
}
