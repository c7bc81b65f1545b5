package lua

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// testLimits are large enough for honest programs.
var testLimits = Limits{Steps: 5_000_000, Bytes: 128 << 20, StringBytes: 16 << 20}

// hostile programs run for ever, grow for ever or go down for ever, each in a way of its own. All end with an error.
var hostile = map[string]string{
	"loop":              `while true do end`,
	"loop in pcall":     `while true do pcall(function() while true do end end) end`,
	"pcall for ever":    `local function f() pcall(f) pcall(f) end while true do f() end`,
	"error for ever":    `while true do pcall(error, {}) end`,
	"deep errors":       `local function f(n) if n == 0 then while true do pcall(error) end end f(n - 1) return 1 end f(15000)`,
	"recursion":         `local function f() return 1 + f() end f()`,
	"tail calls":        `local function f() return f() end f()`,
	"metamethods":       `local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end return t.x`,
	"rep":               `return ("x"):rep(1e12)`,
	"rep twice":         `local s = ("x"):rep(1e6) return s:rep(1e6)`,
	"doubling":          `local s = "x" while true do s = s .. s end`,
	"many strings":      `local t = {} while true do t[#t + 1] = ("x"):rep(1e6) end`,
	"table of tables":   `local t while true do t = {t} end`,
	"many keys":         `local t, i = {}, 0 while true do i = i + 1 t[i .. ""] = i end`,
	"long array":        `local t = {} while true do t[#t + 1] = 1 end`,
	"far index":         `local t = {} for i = 1, 1e8 do t[i * 67108863] = 1 end`,
	"closures":          `local t = {} while true do t[#t + 1] = function() return t end end`,
	"coroutines":        `local t = {} while true do t[#t + 1] = coroutine.wrap(function() coroutine.yield() end) t[#t]() end`,
	"loop in coroutine": `coroutine.wrap(function() while true do end end)()`,
	"nested coroutines": `local function f() return coroutine.wrap(f)() end f()`,
	"concat":            `local t = {} for i = 1, 1000 do t[i] = ("x"):rep(1e5) end return table.concat(t, ("y"):rep(1e5))`,
	"concat backwards":  `return table.concat({}, "", -1e15, 1)`,
	"insert in front":   `local t = {} while true do table.insert(t, 1, 1) end`,
	"insert far":        `table.insert({}, -1e15, 1)`,
	"unpack":            `return unpack({}, 1, 1e8)`,
	"varargs":           `local function f(...) while true do local a = select("#", ...) end end f(unpack({}, 1, 7000))`,
	"sort":              `local t = {} for i = 1, 1e6 do t[i] = i end while true do table.sort(t, function(a, b) return true end) end`,
	"pattern":           `return string.find(("a"):rep(40), ("a?"):rep(40) .. ("a"):rep(40))`,
	"pattern lazily":    `return string.find(("a"):rep(1e5), ".-.-.-.-b")`,
	"pattern nested":    `return string.find(("a"):rep(2000), ("(a*)"):rep(30) .. "b")`,
	"pattern balanced":  `local s = ("("):rep(1e6) while true do s:find("%b()") end`,
	"pattern set":       `local p = "[" .. ("b"):rep(1e6) .. "]" return (("a"):rep(1e6)):find(p)`,
	"pattern too deep":  `return (("a"):rep(1e6)):find(("a-"):rep(1e5) .. "b")`,
	"gsub grows":        `local s = ("x"):rep(1e4) return s:gsub("x", s)`,
	"gsub callback":     `return (("x"):rep(1e6)):gsub("x", function() while true do end end)`,
	"gsub in gsub":      `local s = ("x"):rep(1e7) local function f() return (s:gsub("x$", f)) end return f()`,
	"gmatch":            `while true do for w in (("a "):rep(1e5)):gmatch("%a") do end end`,
	"format":            `local s = ("x"):rep(1e6) return string.format(("%s"):rep(100), s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s)`,
	"compare":           `local a, b = ("x"):rep(1e7) .. "a", ("x"):rep(1e7) .. "b" while true do local c = a < b end`,
	"equal":             `local a, b = ("x"):rep(7e6), ("x"):rep(7e6) while true do local c = a == b end`,
	"long keys":         `local s, t = ("x"):rep(1e7), {} while true do local c = t[s] end`,
	"lengths":           `local t = {} for i = 1, 1e6 do t[i] = i end for i = 1e6, 2, -1 do t[i] = nil end while true do local n = #t end`,
	"next from front":   `local t = {} for i = 1, 5e5 do t["k" .. i] = 1 end while true do local k = next(t) t[k] = nil t.x = 1 end`,
	"maxn":              `local t = {} for i = 1, 1e6 do t[i] = i end while true do table.maxn(t) end`,
	"loadstring":        `local s = ("local x = {} "):rep(1e5) while true do loadstring(s) end`,
	"load for ever":     `load(function() return "x" end)`,
	"lower":             `local s = ("X"):rep(1e7) while true do s:lower() end`,
	"tostring":          `while true do tostring({}) end`,
	"tonumber":          `local s = ("1"):rep(1e7) while true do tonumber(s, 36) end`,
	"arithmetic":        `local s = (" "):rep(1e7) .. "1" while true do local n = s + 1 end`,
	"many results":      `local function f(...) return ... end while true do f(f(unpack({}, 1, 7000))) end`,
	"for each":          `table.foreach({1}, function() while true do end end)`,
}

func TestHostilePrograms(t *testing.T) {
	lib := NewLibrary()
	for name, src := range hostile {
		t.Run(name, func(t *testing.T) {
			p, err := Compile(src, "test")
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, e := NewState(lib, testLimits, 0).Run(p)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if e == nil {
				t.Error("it ended")
			} else {
				t.Logf("%.100s", e)
			}
			if took > 20*time.Second { // about one is to be expected
				t.Errorf("took %s", took)
			}
			t.Logf("%s, %d MiB allocated", took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20)
		})
	}
}

// TestHostileSource is source that is nested, or goes on, too far.
func TestHostileSource(t *testing.T) {
	const n = 200_000
	for name, src := range map[string]string{
		"tables":      "return " + strings.Repeat("{", n) + strings.Repeat("}", n),
		"parentheses": "return " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n),
		"functions":   strings.Repeat("return function() ", n) + strings.Repeat("end ", n),
		"blocks":      strings.Repeat("do ", n) + strings.Repeat("end ", n),
		"ifs":         strings.Repeat("if x then ", n) + strings.Repeat("end ", n),
		"unary":       "return " + strings.Repeat("not ", n) + "1",
		"minus":       "return " + strings.Repeat("- ", n) + "x",
		"sums":        "return 1" + strings.Repeat("+1", n),
		"joined":      "return 1" + strings.Repeat("..1", n),
		"powers":      "return 1" + strings.Repeat("^1", n),
		"calls":       "f" + strings.Repeat("()", n),
		"indexes":     "return f" + strings.Repeat(".x", n),
		"locals":      strings.Repeat("local x ", n),
		"arguments":   "f(" + strings.Repeat("1,", n) + "1)",
		"targets":     strings.Repeat("x,", n) + "x = 1",
		"upvalues":    manyUpvalues(),
		"unfinished":  "return [[" + strings.Repeat("x", n),
		"too long":    strings.Repeat(" ", SourceBytesMax+1),
	} {
		start := time.Now()
		_, err := Compile(src, "test")
		if err == nil {
			t.Errorf("%s: it compiles", name)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: %s", name, took)
		}
		t.Logf("%s: %.100v", name, err)
	}
	for name, src := range map[string]string{ // long is no fault
		"statements": strings.Repeat("x = 1 ", n),
		"elements":   "return {" + strings.Repeat("1,", n) + "}",
		"elseifs":    "if x then " + strings.Repeat("elseif x then ", n) + "end",
		"comments":   strings.Repeat("--[[ x ]] ", n),
	} {
		if _, err := Compile(src, "test"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func manyUpvalues() string {
	var b strings.Builder
	for i := range 100 {
		b.WriteString("local v" + FormatNumber(float64(i)) + " ")
	}
	b.WriteString("return function() return 0")
	for i := range 100 {
		b.WriteString("+v" + FormatNumber(float64(i)))
	}
	return b.String() + " end"
}
