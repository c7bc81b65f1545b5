package lualib

import (
	"testing"

	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

var library = func() *lua.Library {
	l := lua.NewLibrary()
	Open(l)
	l.Set("INPUT", lua.Bool(false))
	return l
}()

// roundTrips decode what they are given, and hold what can be encoded again to what was decoded.
const roundTrips = `
local function same(a, b)
	if type(a) ~= "table" or type(b) ~= "table" then return a == b or a ~= a and b ~= b end
	for k, v in pairs(a) do if not same(v, b[k]) then return false end end
	for k in pairs(b) do if a[k] == nil then return false end end
	return true
end
local ok, v = pcall(cjson.decode, INPUT)
if ok then
	local ok, s = pcall(cjson.encode, v)
	if ok and type(v) == "string" and cjson.decode(s) ~= v then error("cjson: " .. s) end
end
local ok, v = pcall(cmsgpack.unpack, INPUT)
if ok then
	local s = cmsgpack.pack(v)
	local ok, w = pcall(cmsgpack.unpack, s)
	if ok and type(v) ~= "table" and not same(v, w) then error("cmsgpack") end
end
pcall(cmsgpack.unpack_one, INPUT, #INPUT / 2)
pcall(struct.unpack, INPUT, INPUT)
pcall(struct.size, INPUT)
pcall(struct.pack, INPUT, 1, 2, "abc", 4)
pcall(struct.unpack, ">!4bhilBHILTxc3s!8dfi3I7c0", INPUT)
pcall(string.format, INPUT, 1, "b", 3.5)
pcall(string.find, INPUT, INPUT)
pcall(string.gsub, INPUT, INPUT, INPUT)
pcall(tonumber, INPUT, 16)
`

// FuzzLibraries: nothing that a script hands to a library makes it panic.
func FuzzLibraries(f *testing.F) {
	for _, s := range []string{
		``, `{"a":[1,2.5e3,null,true,"x\u00e9\ud83d\ude00\n"]}`, "\x93\x01\xa1a\xcb?\xf0\x00\x00\x00\x00\x00\x00", "\xdf\xff\xff\xff\xff",
		">!4i3s c0d", "%5.2f%q%s", "^(%a+)=%b()%f[%w]%1", "[[[[[[", "\xdd\xff\xff\xff\xff", "i33", "0x1p4",
	} {
		f.Add(s)
	}
	p, err := lua.Compile(roundTrips, "test")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in string) {
		st := lua.NewState(library, lua.Limits{Steps: 200_000, Bytes: 4 << 20, StringBytes: 1 << 20}, 1)
		st.SetGlobal("INPUT", lua.String(in))
		if _, err := st.Run(p); err != nil && !err.Fatal {
			t.Error(err)
		}
	})
}
