package fsm

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/internal/script"
)

// program is a fuzzer's input, read as choices: each takes a byte, and is 0 where none are left. So every input is a valid
// program, and a changed byte changes one choice.
type program struct{ rest []byte }

func (p *program) byte() byte {
	if len(p.rest) == 0 {
		return 0
	}
	b := p.rest[0]
	p.rest = p.rest[1:]
	return b
}

// below chooses a number in [0, n).
func (p *program) below(n int) int {
	if n <= 1<<8 {
		return int(p.byte()) % n
	}
	return (int(p.byte())<<8 | int(p.byte())) % n
}

func (p *program) bytes(n int) string {
	n = min(n, len(p.rest))
	s := string(p.rest[:n])
	p.rest = p.rest[n:]
	return s
}

// appendChoice is the inverse of below.
func appendChoice(dst []byte, i, n int) []byte {
	if n > 1<<8 {
		dst = append(dst, byte(i>>8))
	}
	return append(dst, byte(i))
}

// vocabulary is what programs are made of: the calls of all behaviour scripts, of which every command has some by rule,
// so that a new command is fuzzed as soon as it has its script; and the words in them.
type vocabulary struct {
	names  []string // of the commands, in order
	calls  map[string][][]string
	script []scriptCall // in the order of the scripts
	words  []string
}

// scriptCall is the n-th call of a command.
type scriptCall struct {
	name string
	n    int
}

const vocabularyWordMax = 64 // bytes; longer words are longWords

var loadVocabulary = sync.OnceValues(func() (*vocabulary, error) {
	scripts, err := script.Load("testdata/script")
	if err != nil {
		return nil, err
	}
	v := &vocabulary{calls: map[string][][]string{}, words: slices.Clone(fuzzWords)}
	for _, s := range scripts {
		if _, err := s.Run((*vocabularyTarget)(v)); err != nil {
			return nil, err
		}
	}
	for name, calls := range v.calls {
		v.names = append(v.names, name)
		for _, w := range slices.Concat(calls...) {
			if len(w) <= vocabularyWordMax {
				v.words = append(v.words, w)
			}
		}
	}
	slices.Sort(v.names)
	slices.Sort(v.words)
	v.words = slices.Compact(v.words)
	return v, nil
})

func newVocabulary(t testing.TB) *vocabulary {
	t.Helper()
	v, err := loadVocabulary()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// only is the vocabulary of one group of commands, and of strings for those that need a key of any type.
func (v *vocabulary) only(group string) *vocabulary {
	part := *v
	part.names = slices.DeleteFunc(slices.Clone(v.names), func(name string) bool {
		g := testTable().Get(name).Group
		return g != group && (g != "string" || group != "generic" && group != "server")
	})
	return &part
}

// vocabularyTarget notes what scripts send. Its replies are all the same, which ends the loops of scripts at once.
type vocabularyTarget vocabulary

func (v *vocabularyTarget) Open() (script.Conn, error) { return v, nil }
func (*vocabularyTarget) Wait(time.Duration)           {}
func (*vocabularyTarget) Close() error                 { return nil }

// vocabularyMu: commands that a script only sends come on goroutines of their own.
var vocabularyMu sync.Mutex

func (v *vocabularyTarget) Do(args ...string) (respclient.Value, error) {
	vocabularyMu.Lock()
	defer vocabularyMu.Unlock()
	if spec := testTable().Lookup(bytesOf(args)); spec != nil && Executes(spec) && spec.ArityOK(len(args)) {
		v.script = append(v.script, scriptCall{spec.Name, len(v.calls[spec.Name])})
		v.calls[spec.Name] = append(v.calls[spec.Name], slices.Clone(args))
	}
	zero := respclient.Value{Kind: respclient.Bulk, Str: "0"}
	return respclient.Value{Kind: respclient.Array, Elems: []respclient.Value{zero, {Kind: respclient.Array}}}, nil
}

func bytesOf(args []string) [][]byte {
	out := make([][]byte, len(args))
	for i, a := range args {
		out[i] = []byte(a)
	}
	return out
}

// fuzzKeys are few, so that calls meet; some have a hash in common, see fleet.
var fuzzKeys = []string{"a", "b", "c", "d", "e", "\x00\xff\r\n"}

// fuzzWords are arguments at the edges that no script may have.
var fuzzWords = []string{
	"", "0", "1", "-1", "2", "10", "100", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
	"1e3", "0.1", "-0", "+1", " 1", "0x10", "nan", "inf", "-inf", "1e308", "17976931348623157e292", "3.0e-400",
	"a\x00\xff", "\r\n", "*", "[a-", "[^a]*", "\\", "**************a", strings.Repeat("x", 50),
	"1700000000001", "1700000001", "18446744073709551615",
}

// longWords make strings that are changed in place (blobs), some with holes.
var longWords = []string{
	strings.Repeat("long", 9000), strings.Repeat("\x00", 40000), strings.Repeat("x", blobBytesMin),
	strings.Repeat("\x00", chunkBytes) + "end",
}

// call chooses a call that its command's arity allows: one of the vocabulary, and changes to its arguments.
func (p *program) call(v *vocabulary, now int64) command.Call {
	args := slices.Clone(p.scriptCall(v))
	spec := testTable().Lookup(bytesOf(args))
	args = p.change(v, spec, args, now)
	c := command.Call{Args: bytesOf(args), Spec: testTable().Lookup(bytesOf(args)), DB: p.db()}
	if c.Spec != spec || !spec.ArityOK(len(args)) { // the server refuses it before the log
		return command.Call{}
	}
	tame(&c)
	return c
}

// scriptCall chooses a command, and a call of it as it stands in a script.
func (p *program) scriptCall(v *vocabulary) []string {
	calls := v.calls[v.names[p.below(len(v.names))]]
	return calls[p.below(len(calls))]
}

// appendCall writes the choices that give a script's call as it is, in database 0.
func (v *vocabulary) appendCall(dst []byte, c scriptCall) []byte {
	at, _ := slices.BinarySearch(v.names, c.name)
	dst = appendChoice(append(dst, opCall), at, len(v.names))
	return append(appendChoice(dst, c.n, len(v.calls[c.name])), 0, 0, 0) // no change, database 0, the end of a proposal
}

// fuzzDBs is how many databases the fleet has.
const fuzzDBs = 4

// db is mostly the first; seldom one that is not there.
func (p *program) db() int {
	return []int{0, 0, 0, 0, 0, 0, 0, 1, 1, fuzzDBs - 1, fuzzDBs, 1 << 40}[p.below(12)]
}

// change makes a script's call another one: with keys that other calls have too, or with other arguments, or more or
// fewer of them where the command allows it. Choice 0 leaves it as it is.
func (p *program) change(v *vocabulary, spec *command.Spec, args []string, now int64) []string {
	changes := p.below(8)
	if changes == 0 {
		return args
	}
	if refs, err := spec.FindKeys(bytesOf(args)); err == nil {
		for _, ref := range refs {
			args[ref.Pos] = fuzzKeys[p.below(len(fuzzKeys))]
		}
	}
	fixed := strings.Count(spec.Name, "|") + 1 // the name
	if n := len(args) - fixed; changes >= 4 && n > 0 {
		i := fixed + p.below(n)
		args[i] = p.word(v, args[i], now)
	}
	if changes == 7 {
		for i := fixed; i < len(args); i++ {
			args[i] = p.word(v, args[i], now)
		}
	}
	if changes < 5 || spec.Arity > 0 {
		return args
	}
	switch p.below(3) {
	case 0:
		args = append(args, p.word(v, "", now))
	case 1:
		args = args[:max(fixed, len(args)-1)]
	case 2: // options of another call
		other := p.scriptCall(v)
		args = append(args, other[p.below(len(other)):]...)
	}
	return args
}

// word is an argument in the place of was.
func (p *program) word(v *vocabulary, was string, now int64) string {
	switch p.below(8) {
	case 0:
		return fuzzKeys[p.below(len(fuzzKeys))]
	case 1:
		return fuzzWords[p.below(len(fuzzWords))]
	case 2: // a deadline near log time
		return strconv.FormatInt(now+int64(p.below(256))-128, 10)
	case 3:
		return strconv.FormatInt(now/1000+int64(p.below(256))-128, 10)
	case 4:
		return strconv.Itoa(int(int8(p.byte())))
	case 5:
		n := p.below(20)
		if n < len(longWords) {
			return longWords[n]
		}
		return p.bytes(n)
	case 6: // a number one off
		if n, err := strconv.ParseInt(was, 10, 64); err == nil {
			return strconv.FormatInt(n+int64(int8(p.byte())), 10)
		}
		return was + p.bytes(1)
	}
	return v.words[p.below(len(v.words))]
}

// offsetMax bounds the strings that programs make. Longer ones are allowed, and slow to reply and to compare;
// TestASparseStringCostsASnapshotLittle has one of the longest.
const offsetMax = 1 << 20

// tame changes a call that would be allowed but take seconds.
func tame(c *command.Call) {
	switch c.Spec.Name {
	case "setrange":
		tameOffset(c.Args[2:3], 1)
	case "setbit":
		tameOffset(c.Args[2:3], 8)
	case "bitfield":
		tameOffset(c.Args[2:], 8)
	}
}

// tameOffset makes offsets smaller, in units of which perByte are a byte; behind "#" they count up to 64 bits.
func tameOffset(args [][]byte, perByte int64) {
	for i, arg := range args {
		digits, limit := arg, int64(offsetMax)*perByte
		if len(arg) > 0 && arg[0] == '#' {
			digits, limit = arg[1:], limit/64
		}
		if n, ok := parseInt(digits); ok && n > limit && n < StringBytesMax*perByte {
			args[i] = strconv.AppendInt(arg[:len(arg)-len(digits):len(arg)-len(digits)], n%limit, 10)
		}
	}
}
