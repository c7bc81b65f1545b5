package lua

import (
	"strings"
	"testing"
)

// run runs a program and returns its results, printed.
func run(t testing.TB, src string, limits Limits) (out string, left int64, err *Error) {
	t.Helper()
	p, cerr := Compile(src, "test")
	if cerr != nil {
		t.Fatal(cerr)
	}
	st := NewState(library, limits, seed48(7))
	rets, err := st.Run(p)
	var parts []string
	for _, v := range rets {
		parts = append(parts, st.display(v))
	}
	return strings.Join(parts, " "), st.Steps(), err
}

var library = NewLibrary()

// Most of the language is held to redis-server by the scripts of package fsm. Here is what they cannot say.
func TestPrograms(t *testing.T) {
	for src, want := range map[string]string{
		`return math.random(), math.random(10), math.random(5, 6)`:                                             `0.26644419658298 7 5`,
		`math.randomseed(42) return math.random(1, 1000000)`:                                                   `744526`,
		`return {}, {}, print, string.rep`:                                                                     `table: 0x000000000001 table: 0x000000000002 nil function: 0x`,
		`local t = {} return t, t`:                                                                             `table: 0x000000000001 table: 0x000000000001`,
		`return 0/0, -(0/0), tonumber("nan")`:                                                                  `-nan -nan -nan`,
		`return #("x"):rep(1000), select("#", unpack({}, 1, 7000))`:                                            `1000 7000`,
		`local s = "" for k in pairs({z = 1, a = 2, m = 3, 4}) do s = s .. k end return s`:                     `1zam`,
		`local t = {} for i = 1, 20 do t["k" .. i] = i end t.k3 = nil t.k3 = 1 return (next(t))`:               `k1`,
		`local t = {3, 1, 2} table.sort(t, function(a, b) return true end) return #t`:                          `3`,
		`local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end return f(19000)`:              `19000`,
		`local n = 0 for i = 1, 100 do local ok = pcall(error, "x") if not ok then n = n + 1 end end return n`: `100`,
	} {
		got, _, err := run(t, src, testLimits)
		if err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s\n got %s %v\nwant %s", src, got, err, want)
		}
	}
}

// TestRunsLeaveNothingBehind: a program gives the same, for the same number of steps, whatever ran before it.
func TestRunsLeaveNothingBehind(t *testing.T) {
	const src = `local s = tostring({}) .. tostring(pairs) .. tostring(string) .. tostring(getmetatable("")) .. math.random()
		for k, v in pairs(_G) do s = s .. k end
		return s`
	first, left, err := run(t, src, testLimits)
	for name := range hostile {
		_, _, _ = run(t, hostile[name], Limits{Steps: 10_000, Bytes: 1 << 20, StringBytes: 1 << 16})
	}
	got, left2, err2 := run(t, src, testLimits)
	if err != nil || err2 != nil || got != first || left != left2 {
		t.Errorf("%s, %d steps left, %v\n%s, %d steps left, %v", first, left, err, got, left2, err2)
	}
}

// TestLimitsAreExact: a run that fits ends well, with one step or byte less it does not.
func TestLimitsAreExact(t *testing.T) {
	const src = `local t = {} for i = 1, 100 do t[i] = ("x"):rep(i) end return #t`
	_, left, err := run(t, src, testLimits)
	if err != nil {
		t.Fatal(err)
	}
	need := testLimits
	need.Steps -= left
	if _, left, err := run(t, src, need); err != nil || left != 0 {
		t.Errorf("%v, %d steps left", err, left)
	}
	need.Steps--
	if _, _, err := run(t, src, need); err == nil || !err.Fatal || err.Error() != ErrSteps {
		t.Errorf("with one step less: %v", err)
	}
	if _, _, err := run(t, src, Limits{Steps: 1 << 30, Bytes: 5000, StringBytes: 1 << 20}); err == nil || err.Error() != ErrBytes {
		t.Errorf("with few bytes: %v", err)
	}
}

// TestALimitCannotBeCaught: neither pcall nor a coroutine goes on once a limit is reached.
func TestALimitCannotBeCaught(t *testing.T) {
	for _, src := range []string{
		`pcall(function() while true do end end) return "went on"`,
		`xpcall(function() while true do end end, function() end) return "went on"`,
		`coroutine.resume(coroutine.create(function() while true do end end)) return "went on"`,
	} {
		if got, _, err := run(t, src, Limits{Steps: 10_000, Bytes: 1 << 20, StringBytes: 1 << 16}); err == nil || !err.Fatal {
			t.Errorf("%s: %q, %v", src, got, err)
		}
	}
}

// FuzzRun: no source makes the compiler or the machine panic or run on, and the same source gives the same twice.
func FuzzRun(f *testing.F) {
	for _, src := range hostile {
		f.Add(src)
	}
	f.Add(`local a <const> = 1`)
	f.Add(`return ("x"):format("%5.2f%q", 1, "a")`)
	f.Add(`for k, v in pairs({1, 2, x = 3}) do if k then break end end goto x`)
	small := Limits{Steps: 100_000, Bytes: 1 << 20, StringBytes: 1 << 16}
	f.Fuzz(func(t *testing.T, src string) {
		if _, err := Compile(src, "test"); err != nil {
			return
		}
		a, leftA, errA := run(t, src, small)
		b, leftB, errB := run(t, src, small)
		if a != b || leftA != leftB || (errA == nil) != (errB == nil) {
			t.Errorf("%q, %d, %v\n%q, %d, %v", a, leftA, errA, b, leftB, errB)
		}
	})
}
