package fsm

import (
	"strings"

	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

// loadingLibrary is all that a library has while it is loaded, as in Redis 7.0: the means to register functions and to log.
var loadingLibrary = newLoadingLibrary()

func newLoadingLibrary() *lua.Library {
	t := lua.Funcs("redis", map[string]func(c *lua.Call){"register_function": registerFunction, "log": redisLog})
	setConstants(t)
	meta := globalsMeta()
	t.SetMeta(meta)
	l := lua.NewEmptyLibrary()
	l.SetMeta(meta)
	l.Set("redis", lua.TableValue(t))
	return l
}

// registration is what redis.register_function was given.
type registration struct {
	f        libFunction
	callback lua.Value
}

func registerFunction(c *lua.Call) {
	load := runOf(c).library
	if load == nil { // a function has kept it
		raise(c, "ERR redis.register_function can only be called on FUNCTION LOAD command")
	}
	var reg registration
	switch c.NArgs() {
	case 1:
		reg = namedRegistration(c)
	case 2:
		reg = plainRegistration(c)
	default:
		raise(c, "ERR wrong number of arguments to redis.register_function")
	}
	if !plainIdentifier(reg.f.name) {
		raise(c, errBadName)
	}
	key := strings.ToLower(reg.f.name)
	if _, dup := load.callbacks[key]; dup {
		raise(c, "ERR Function already exists in the library")
	}
	const perLibraryMax = 1<<16 - 1
	if len(load.lib.functions) == perLibraryMax {
		raise(c, errFunctionsAreTop)
	}
	f := reg.f
	f.lib = load.lib
	load.callbacks[key] = reg.callback
	load.lib.functions = append(load.lib.functions, &f)
}

func plainRegistration(c *lua.Call) (reg registration) {
	name, ok := c.Arg(0).ToString()
	if !ok {
		raise(c, "ERR first argument to redis.register_function must be a string")
	}
	if c.Arg(1).Function() == nil {
		raise(c, "ERR second argument to redis.register_function must be a function")
	}
	reg.f.name, reg.callback = name, c.Arg(1)
	return reg
}

// namedRegistration reads a table of arguments.
func namedRegistration(c *lua.Call) (reg registration) {
	t := c.Arg(0).Table()
	if t == nil {
		raise(c, "ERR calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).")
	}
	for k, v, _, _ := t.Next(lua.Nil); !k.IsNil(); k, v, _, _ = t.Next(k) {
		c.State().Spend(1)
		name, _ := k.Str()
		reg.set(c, strings.ToLower(name), v)
	}
	switch {
	case reg.f.name == "":
		raise(c, "ERR redis.register_function must get a function name argument")
	case reg.callback.IsNil():
		raise(c, "ERR redis.register_function must get a callback argument")
	}
	return reg
}

func (reg *registration) set(c *lua.Call, name string, v lua.Value) {
	s, isString := v.ToString()
	switch name {
	case "function_name":
		if !isString {
			raise(c, "ERR function_name argument given to redis.register_function must be a string")
		}
		reg.f.name = s
	case "description":
		if !isString {
			raise(c, "ERR description argument given to redis.register_function must be a string")
		}
		reg.f.description, reg.f.described = s, true
	case "callback":
		if v.Function() == nil {
			raise(c, "ERR callback argument given to redis.register_function must be a function")
		}
		reg.callback = v
	case "flags":
		if v.Table() == nil {
			raise(c, "ERR flags argument to redis.register_function must be a table representing function flags")
		}
		reg.setFlags(c, v.Table())
	default:
		raise(c, "ERR unknown argument given to redis.register_function")
	}
}

func (reg *registration) setFlags(c *lua.Call, t *lua.Table) {
	for i := 1; !t.GetInt(i).IsNil(); i++ {
		c.State().Spend(1)
		name, _ := t.GetInt(i).Str()
		f := flagByName(name)
		if f == 0 {
			raise(c, "ERR unknown flag given")
		}
		reg.f.flags |= f
	}
}
