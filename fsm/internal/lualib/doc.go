// Package lualib holds the libraries that Redis gives scripts beside Lua's own: bit, cjson, cmsgpack and struct. Open adds
// them to a lua.Library.
//
// Like the machine that they run in they are functions of their arguments, the same on every node, and charge the run for
// what they build and how long they take. What a script may set (cjson's options) holds for its run alone; in Redis it
// stays set for all later scripts.
package lualib

import "github.com/redoubtdb/redoubt/fsm/internal/lua"

// Open adds the libraries.
func Open(l *lua.Library) {
	openBit(l)
	openJSON(l)
	openMsgpack(l)
	openStruct(l)
}
