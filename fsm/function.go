package fsm

import (
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/internal/lua"
	"github.com/redoubtdb/redoubt/internal/splitargs"
)

// functions are the libraries that FUNCTION LOAD has loaded: part of the state. A change makes a new one: snapshots share the
// old.
type functions struct {
	libs   []*functionLib // in the order of loading
	byName map[string]*libFunction
	bytes  int
}

// functionLib is a library: its source, and what it registered when it was loaded.
type functionLib struct {
	name, code string
	functions  []*libFunction
}

type libFunction struct {
	lib         *functionLib
	name        string
	description string
	described   bool
	flags       scriptFlags
}

const (
	// functionBytesMax bounds the source of all libraries, functionsMax how many functions they register.
	functionBytesMax   = 64 << 20
	functionsMax       = 10000
	errFunctionsAreTop = "ERR the libraries take more than 64 MiB or 10000 functions; FUNCTION DELETE makes room"
)

// loadLimits bound the loading of a library, which only registers functions.
var loadLimits = lua.Limits{Steps: 10_000_000, Bytes: scriptBytesMax, StringBytes: scriptStringMax}

func (f *functions) lib(name string) *functionLib {
	for _, l := range f.libs {
		if l.name == name {
			return l
		}
	}
	return nil
}

// find returns a function by its name, in any case.
func (f *functions) find(name []byte) *libFunction { return f.byName[strings.ToLower(string(name))] }

// with returns the libraries without one of them and with others, or the text of what stands against it.
func (f *functions) with(drop *functionLib, add ...*functionLib) (out functions, errText string) {
	out.byName = map[string]*libFunction{}
	for _, l := range append(slices.Clone(f.libs), add...) {
		if l == drop {
			continue
		}
		out.libs = append(out.libs, l)
		out.bytes += len(l.code)
		for _, fn := range l.functions {
			key := strings.ToLower(fn.name)
			if out.byName[key] != nil {
				return functions{}, "ERR Function " + fn.name + " already exists"
			}
			out.byName[key] = fn
		}
	}
	if out.bytes > functionBytesMax || len(out.byName) > functionsMax {
		return functions{}, errFunctionsAreTop
	}
	return out, ""
}

// libraryHead reads the first line of a library: its language and its name.
func libraryHead(code string) (name, errText string) {
	if !strings.HasPrefix(code, "#!") {
		return "", "ERR Missing library metadata"
	}
	line, _, ended := strings.Cut(code, "\n")
	words, err := splitargs.Split([]byte(line))
	if !ended || err != nil {
		return "", "ERR Invalid library metadata"
	}
	given := false
	for _, word := range words[1:] {
		const key = "name="
		w := string(word)
		switch {
		case len(w) < len(key) || !strings.EqualFold(w[:len(key)], key):
			return "", "ERR Invalid metadata value given: " + w
		case given:
			return "", "ERR Invalid metadata value, name argument was given multiple times"
		}
		name, given = w[len(key):], true
	}
	switch engine := strings.TrimPrefix(string(words[0]), "#!"); {
	case !given:
		return "", "ERR Library name was not given"
	case !plainIdentifier(name):
		return "", errBadName
	case !strings.EqualFold(engine, "lua"):
		return "", "ERR Engine '" + engine + "' not found"
	}
	return name, ""
}

const errBadName = "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"

func plainIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && !('0' <= c && c <= '9') && !('a' <= c|0x20 && c|0x20 <= 'z') {
			return false
		}
	}
	return s != ""
}

// library compiles a library, or finds it compiled on this node.
func (k *compiler) library(code string) (*lua.Proto, string) {
	sha := "library " + sha1hex(code)
	if c := k.find(sha); c != nil {
		return c.proto, ""
	}
	_, body, _ := strings.Cut(code, "\n")
	p, err := lua.Compile("\n"+body, "user_function")
	if err != nil {
		return nil, "ERR Error compiling function: " + err.Error()
	}
	k.keep(sha, &compiled{source: code, proto: p})
	return p, ""
}

// libraryLoad is what a library registers while it is loaded.
type libraryLoad struct {
	lib       *functionLib
	callbacks map[string]lua.Value // by the lower-case name
}

// loadLibrary reads a library and runs it, so that it registers its functions.
func (tx *Tx) loadLibrary(code string) (lib *functionLib, errText string) {
	name, errText := libraryHead(code)
	if errText != "" {
		return nil, errText
	}
	load := &libraryLoad{lib: &functionLib{name: name, code: code}, callbacks: map[string]lua.Value{}}
	st := lua.NewState(loadingLibrary, loadLimits, 0)
	if errText = tx.register(st, load); errText != "" {
		return nil, errText
	}
	if len(load.lib.functions) == 0 {
		return nil, "ERR No functions registered"
	}
	return load.lib, ""
}

// register runs a library's source.
func (tx *Tx) register(st *lua.State, load *libraryLoad) (errText string) {
	p, errText := tx.m.compiler.library(load.lib.code)
	if errText != "" {
		return errText
	}
	run := &scriptRun{tx: tx, library: load}
	st.Host = run
	_, err := st.Run(p)
	switch {
	case err == nil:
		return ""
	case err.Fatal:
		return "ERR Error registering functions: FUNCTION LOAD timeout: it takes too many steps or too much memory"
	}
	err.Source = "" // the text is all that is told
	return "ERR Error registering functions: " + run.errorText(err)
}

func appendFunctions(dst []byte, libs []*functionLib) []byte {
	for _, l := range libs {
		dst = appendString(appendString(dst, l.name), l.code)
		dst = append(dst, byte(len(l.functions)), byte(len(l.functions)>>8))
		for _, f := range l.functions {
			dst = append(appendString(dst, f.name), byte(f.flags), byte(boolInt(f.described)))
			dst = appendString(dst, f.description)
		}
	}
	return dst
}

func (l *loader) functions(payload []byte) error {
	d := decoder{rest: payload}
	var libs []*functionLib
	for len(d.rest) > 0 && !d.bad {
		lib := &functionLib{name: string(d.bytes()), code: string(d.bytes())}
		for n := int(d.byte()) | int(d.byte())<<8; n > 0 && !d.bad; n-- {
			f := &libFunction{lib: lib, name: string(d.bytes()), flags: scriptFlags(d.byte())}
			f.described = d.byte() != 0
			f.description = string(d.bytes())
			lib.functions = append(lib.functions, f)
		}
		libs = append(libs, lib)
	}
	all, errText := l.s.functions.with(nil, libs...)
	if d.bad || errText != "" {
		return l.corrupt("functions malformed")
	}
	l.s.functions = all
	return nil
}
