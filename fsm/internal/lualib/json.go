package lualib

import (
	"strconv"

	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

// jsonOptions are what a script can set, with cjson's defaults.
type jsonOptions struct {
	sparseConvert           bool
	sparseRatio, sparseSafe int
	encodeDepth             int
	decodeDepth             int
	precision               int
	keepBuffer              bool
	encodeInvalid           string // "off", "on" or "null"
	decodeInvalid           bool
}

func defaultOptions() *jsonOptions {
	return &jsonOptions{
		sparseRatio: 2, sparseSafe: 10, encodeDepth: 1000, decodeDepth: 1000, precision: 14, keepBuffer: true,
		encodeInvalid: "off", decodeInvalid: true,
	}
}

// jsonNull is what null becomes: nil would leave a hole.
var jsonNull = lua.UserdataValue(&lua.Userdata{Name: "(nil)"})

type jsonKey struct{}

// shared are the options of the global cjson in this run.
func shared(c *lua.Call) *jsonOptions {
	return c.State().Slot(jsonKey{}, func() any { return defaultOptions() }).(*jsonOptions)
}

func openJSON(l *lua.Library) {
	l.Set("cjson", lua.TableValue(jsonTable(shared)))
}

// jsonTable makes the library's functions; options finds what they go by.
func jsonTable(options func(c *lua.Call) *jsonOptions) *lua.Table {
	t := lua.Funcs("cjson", map[string]func(c *lua.Call){
		"encode": func(c *lua.Call) { jsonEncode(c, options(c)) },
		"decode": func(c *lua.Call) { jsonDecode(c, options(c)) },
		"encode_sparse_array": func(c *lua.Call) {
			o := options(c)
			atMost(c, 3)
			setBool(c, 0, &o.sparseConvert)
			setInt(c, 1, &o.sparseRatio, 0)
			setInt(c, 2, &o.sparseSafe, 0)
			c.Push(lua.Bool(o.sparseConvert), lua.Int(o.sparseRatio), lua.Int(o.sparseSafe))
		},
		"encode_max_depth": func(c *lua.Call) { intOption(c, &options(c).encodeDepth, 1, maxInt) },
		"decode_max_depth": func(c *lua.Call) { intOption(c, &options(c).decodeDepth, 1, maxInt) },
		"encode_number_precision": func(c *lua.Call) {
			intOption(c, &options(c).precision, 1, 14)
		},
		"encode_keep_buffer": func(c *lua.Call) {
			o := options(c)
			atMost(c, 1)
			setBool(c, 0, &o.keepBuffer)
			c.Push(lua.Bool(o.keepBuffer))
		},
		"encode_invalid_numbers": func(c *lua.Call) { invalidNumbers(c, options(c)) },
		"decode_invalid_numbers": func(c *lua.Call) {
			o := options(c)
			atMost(c, 1)
			setBool(c, 0, &o.decodeInvalid)
			c.Push(lua.Bool(o.decodeInvalid))
		},
		"new": func(c *lua.Call) {
			own := defaultOptions()
			c.State().Charge(4 << 10)
			c.Push(lua.TableValue(jsonTable(func(*lua.Call) *jsonOptions { return own })))
		},
	})
	t.SetStr("null", jsonNull)
	t.SetStr("_NAME", lua.String("cjson"))
	t.SetStr("_VERSION", lua.String("2.1.0"))
	return t
}

const maxInt = 1<<31 - 1

// depthCap bounds what a script may set as a depth: decoding and encoding go down by recursion.
const depthCap = 10000

func atMost(c *lua.Call, n int) {
	if c.NArgs() > n {
		c.ArgError(n, "found too many arguments")
	}
}

func intOption(c *lua.Call, o *int, least, most int) {
	atMost(c, 1)
	if !c.Arg(0).IsNil() {
		n := c.Int(0)
		if n < least || n > most {
			c.ArgError(0, "expected integer between "+strconv.Itoa(least)+" and "+strconv.Itoa(most))
		}
		*o = n
	}
	c.Push(lua.Int(*o))
}

func setInt(c *lua.Call, i int, o *int, least int) {
	if c.Arg(i).IsNil() {
		return
	}
	n := c.Int(i)
	if n < least || n > maxInt {
		c.ArgError(0, "expected integer between "+strconv.Itoa(least)+" and "+strconv.Itoa(maxInt))
	}
	*o = n
}

// setBool takes true, false, "on" and "off".
func setBool(c *lua.Call, i int, o *bool) {
	switch v := c.Arg(i); {
	case v.IsNil():
	case v.IsBool():
		*o = v.Truth()
	default:
		switch s := c.String(i); s {
		case "on", "off":
			*o = s == "on"
		default:
			c.ArgError(i, "invalid option '"+s+"'")
		}
	}
}

func invalidNumbers(c *lua.Call, o *jsonOptions) {
	atMost(c, 1)
	switch v := c.Arg(0); {
	case v.IsNil():
	case v.IsBool():
		o.encodeInvalid = map[bool]string{false: "off", true: "on"}[v.Truth()]
	default:
		switch s := c.String(0); s {
		case "on", "off", "null":
			o.encodeInvalid = s
		default:
			c.ArgError(0, "invalid option '"+s+"'")
		}
	}
	if o.encodeInvalid == "null" {
		c.Push(lua.String("null"))
		return
	}
	c.Push(lua.Bool(o.encodeInvalid == "on"))
}
