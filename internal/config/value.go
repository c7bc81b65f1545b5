package config

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/internal/splitargs"
)

// valueBytesMax bounds one value, from a file, a flag or CONFIG SET.
const valueBytesMax = 64 << 10

// value is a parsed value. It is never changed once it is stored.
type value struct {
	text   string // as CONFIG GET prints it
	num    int64  // the number, 0 or 1 for Bool, the index for Enum, the bits for EnumSet
	words  []string
	limits outputLimits
	// letters are those of keyspace events, of which text may lack one.
	letters string
}

const wrongArity = badValue("wrong number of arguments")

// parse reads a value given as words. old is what the value adds to, nil where it replaces.
func (s *Setting) parse(old *value, args []string) (*value, error) {
	size := 0
	for _, a := range args {
		size += len(a) + 1
	}
	if size > valueBytesMax {
		return nil, badValue("argument is longer than " + strconv.Itoa(valueBytesMax) + " bytes")
	}
	if s.multi() {
		if len(args) == 1 {
			args = strings.Fields(args[0])
		}
	} else if len(args) != 1 {
		return nil, wrongArity
	}
	v, err := s.parseKind(old, args)
	if err != nil {
		return nil, err
	}
	if s.check != nil {
		if err := s.check(v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// parseSet reads what CONFIG SET gives. A few settings change in parts only.
func (s *Setting) parseSet(old *value, text string) (*value, error) {
	if !s.merge {
		old = nil
	}
	return s.parse(old, []string{text})
}

func (s *Setting) parseKind(old *value, args []string) (*value, error) {
	switch s.Kind {
	case Bool:
		return parseBool(args[0])
	case Int:
		return s.parseInt(args[0])
	case Memory:
		n, err := parseMemory(args[0])
		if err != nil {
			return nil, err
		}
		return s.number(n)
	case Percent:
		return s.parsePercent(args[0])
	case Octal:
		return s.parseOctal(args[0])
	case Enum:
		return s.parseEnum(args[0])
	case EnumSet:
		return s.parseEnumSet(args)
	case Words:
		if old != nil {
			args = slices.Concat(old.words, args)
		}
		return &value{text: strings.Join(args, " "), words: args}, nil
	case Special:
		return s.special(old, args)
	default:
		return &value{text: args[0]}, nil
	}
}

func parseBool(arg string) (*value, error) {
	switch strings.ToLower(arg) {
	case "yes":
		return &value{text: "yes", num: 1}, nil
	case "no":
		return &value{text: "no"}, nil
	}
	return nil, badValue("argument must be 'yes' or 'no'")
}

func (s *Setting) parseInt(arg string) (*value, error) {
	n, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != arg { // no plus sign, no leading zeros, as in Redis
		return nil, badValue("argument couldn't be parsed into an integer")
	}
	return s.number(n)
}

// number checks the range, which the Redis texts call inclusive.
func (s *Setting) number(n int64) (*value, error) {
	if n < s.Min || n > s.Max {
		return nil, badValue(fmt.Sprintf("argument must be between %d and %d inclusive", s.Min, s.Max))
	}
	if s.fix != nil {
		n = s.fix(n)
	}
	return &value{text: strconv.FormatInt(n, 10), num: n}, nil
}

// parseMemory reads digits and a unit. No digits at all are zero, as in Redis. What does not fit is the largest number,
// where Redis would wrap around.
func parseMemory(arg string) (int64, error) {
	const notMemory = badValue("argument must be a memory value")
	end := 0
	for end < len(arg) && '0' <= arg[end] && arg[end] <= '9' {
		end++
	}
	unit, ok := memoryUnits[strings.ToLower(arg[end:])]
	if !ok {
		return 0, notMemory
	}
	if end == 0 {
		return 0, nil
	}
	n, err := strconv.ParseUint(arg[:end], 10, 64)
	if err != nil {
		return maxI64, nil
	}
	high, low := bits.Mul64(n, unit)
	if high != 0 || low > maxI64 {
		return maxI64, nil
	}
	return int64(low), nil
}

var memoryUnits = map[string]uint64{
	"": 1, "b": 1,
	"k": 1000, "kb": 1 << 10,
	"m": 1000 * 1000, "mb": 1 << 20,
	"g": 1000 * 1000 * 1000, "gb": 1 << 30,
}

func (s *Setting) parsePercent(arg string) (*value, error) {
	const neither = badValue("argument must be a memory or percent value")
	if digits, ok := strings.CutSuffix(arg, "%"); ok {
		n, err := strconv.ParseUint(digits, 10, 32)
		switch {
		case err != nil:
			return nil, neither
		case n > 100:
			return nil, badValue("percentage argument must be less or equal to 100")
		case n == 0:
			return &value{text: "0"}, nil
		}
		return &value{text: strconv.FormatUint(n, 10) + "%", num: -int64(n)}, nil
	}
	n, err := parseMemory(arg)
	if err != nil {
		return nil, neither
	}
	return s.number(n)
}

func (s *Setting) parseOctal(arg string) (*value, error) {
	n, err := strconv.ParseUint(arg, 8, 31)
	if err != nil {
		return nil, badValue("argument couldn't be parsed as an octal number")
	}
	if int64(n) > s.Max {
		return nil, badValue(fmt.Sprintf("argument must be between %o and %o inclusive", s.Min, s.Max))
	}
	return &value{text: strconv.FormatUint(n, 8), num: int64(n)}, nil
}

func (s *Setting) parseEnum(arg string) (*value, error) {
	for i, w := range s.Enum {
		if strings.EqualFold(w, arg) {
			return &value{text: w, num: int64(i)}, nil
		}
	}
	return nil, s.notInEnum()
}

func (s *Setting) notInEnum() error {
	return badValue("argument(s) must be one of the following: " + strings.Join(s.Enum, ", "))
}

func (s *Setting) parseEnumSet(args []string) (*value, error) {
	v := &value{}
	for _, a := range args {
		one, err := s.parseEnum(a)
		if err != nil {
			return nil, err
		}
		v.num |= 1 << one.num
	}
	for i, w := range s.Enum {
		if v.num&(1<<i) != 0 {
			v.words = append(v.words, w)
		}
	}
	if len(v.words) == 0 {
		return nil, s.notInEnum()
	}
	v.text = strings.Join(v.words, " ")
	return v, nil
}

// fileText is the value as a line of a file carries it behind the name.
func (s *Setting) fileText(v *value) string {
	switch {
	case s.Kind == Memory:
		return memoryText(v.num)
	case len(v.words) > 0:
		quoted := make([]string, len(v.words))
		for i, w := range v.words {
			quoted[i] = splitargs.Quote(w)
		}
		return strings.Join(quoted, " ")
	default:
		return splitargs.Quote(v.text)
	}
}

// memoryText uses the largest unit that loses nothing.
func memoryText(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "gb"}, {1 << 20, "mb"}, {1 << 10, "kb"}} {
		if n >= u.size && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func yesNo(on bool) string {
	if on {
		return "yes"
	}
	return "no"
}
