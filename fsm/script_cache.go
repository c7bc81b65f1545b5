package fsm

import (
	"sync"

	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

// scriptCache are the scripts that EVALSHA finds: part of the state. What EVAL runs in the log is remembered as long as there
// is room; SCRIPT LOAD says where there is none.
type scriptCache struct {
	bySHA map[string]*cachedScript
	// order is that of loading. A snapshot shares it: it is only appended to.
	order []*cachedScript
	bytes int
}

type cachedScript struct{ sha, source string }

const (
	scriptsMax           = 10000
	scriptCacheBytesMax  = 64 << 20
	errScriptCacheIsFull = "ERR the script cache is full (10000 scripts or 64 MiB); SCRIPT FLUSH empties it"
)

// add remembers a script. It is false where there is no room.
func (s *scriptCache) add(sha, source string) bool {
	if s.bySHA[sha] != nil {
		return true
	}
	if len(s.order) >= scriptsMax || s.bytes+len(source) > scriptCacheBytesMax {
		return false
	}
	if s.bySHA == nil {
		s.bySHA = map[string]*cachedScript{}
	}
	e := &cachedScript{sha, source}
	s.bySHA[sha] = e
	s.order = append(s.order, e)
	s.bytes += len(source)
	return true
}

// compiled is a script made ready, with what its first line says.
type compiled struct {
	source string
	proto  *lua.Proto
	flags  scriptFlags
}

// compiler keeps what this node has compiled. It belongs to the node: a script that is not there is compiled again.
type compiler struct {
	mu    sync.Mutex
	ready map[string]*compiled
	bytes int
}

const compiledBytesMax = 64 << 20

// script compiles a script, or finds it compiled.
func (k *compiler) script(sha string, text []byte) (c *compiled, errText string) {
	if c = k.find(sha); c != nil {
		return c, ""
	}
	source := string(text)
	flags, rest, errText := shebang(source)
	if errText != "" {
		return nil, errText
	}
	p, err := lua.Compile(rest, "user_script")
	if err != nil {
		return nil, "ERR Error compiling script (new function): " + err.Error()
	}
	c = &compiled{source, p, flags}
	k.keep(sha, c)
	return c, ""
}

func (k *compiler) keep(sha string, c *compiled) {
	k.mu.Lock()
	defer k.mu.Unlock()
	size := c.proto.Size() + len(c.source)
	if k.ready == nil || k.bytes+size > compiledBytesMax {
		k.ready, k.bytes = map[string]*compiled{}, 0
	}
	if k.ready[sha] == nil {
		k.ready[sha] = c
		k.bytes += size
	}
}

// find returns a script that this node has compiled, whoever ran it.
func (k *compiler) find(sha string) *compiled {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ready[sha]
}

func (k *compiler) flush() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ready, k.bytes = nil, 0
}

// findScript looks up a script by its name. In the log only what the log has loaded counts; a read may run what this node
// has seen.
func (tx *Tx) findScript(sha string) (source string, ok bool) {
	if s := tx.m.scripts.bySHA[sha]; s != nil {
		return s.source, true
	}
	if !tx.write {
		if c := tx.m.compiler.find(sha); c != nil {
			return c.source, true
		}
	}
	return "", false
}

func appendScripts(dst []byte, order []*cachedScript) []byte {
	for _, s := range order {
		dst = appendString(dst, s.source)
	}
	return dst
}

func (l *loader) scripts(payload []byte) error {
	d := decoder{rest: payload}
	for len(d.rest) > 0 && !d.bad {
		source := string(d.bytes())
		if d.bad || !l.s.scripts.add(sha1hex(source), source) {
			return l.corrupt("scripts malformed")
		}
	}
	return nil
}
