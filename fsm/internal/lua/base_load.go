package lua

import "strings"

// What a byte of source costs to compile: bytes for the tree and the code, steps.
const (
	compileBytes = 40
	compileSteps = 1
)

func (c *Call) compile(source, chunk string) {
	c.st.Charge(compileBytes * len(source))
	c.st.Spend(compileSteps * len(source))
	p, err := Compile(source, chunk)
	if err != nil {
		c.Push(Nil, String(err.Error()))
		return
	}
	c.Push(FunctionValue(&Function{proto: p}))
}

func baseLoadstring(c *Call) {
	s := c.String(0)
	c.compile(s, chunkName(c.OptString(1, s)))
}

func baseLoad(c *Call) {
	name := c.OptString(1, "=(load)")
	var b strings.Builder
	for {
		v := c.t.call1(c.Any(0))
		s, ok := v.ToString()
		if !v.IsNil() && !ok {
			c.Push(Nil, String("reader function must return a string"))
			return
		}
		if s == "" {
			break
		}
		c.st.Room(b.Len() + len(s))
		c.st.Charge(len(s))
		b.WriteString(s)
	}
	c.compile(b.String(), chunkName(name))
}

// chunkNameMax is how much of a source's text stands in error texts: LUA_IDSIZE without its frame.
const chunkNameMax = 45

// chunkName is how error texts name a source: "@file" and "=name" say it themselves, others begin with their text.
func chunkName(name string) string {
	if strings.HasPrefix(name, "=") || strings.HasPrefix(name, "@") {
		return name[1:min(len(name), 60)]
	}
	line, rest := name, ""
	if i := strings.IndexAny(name, "\r\n"); i >= 0 {
		line, rest = name[:i], "..."
	}
	if len(line) > chunkNameMax {
		line, rest = line[:chunkNameMax], "..."
	}
	return `[string "` + line + rest + `"]`
}
