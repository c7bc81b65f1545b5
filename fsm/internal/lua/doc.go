// Package lua runs Lua 5.1 inside the state machine: a compiler and a virtual machine whose every result follows from the
// program and its input alone, on every node alike, and whose every run is bounded in time and memory.
//
// Compile turns source into a Proto, which is read-only and may be shared between goroutines. A Library is a set of globals,
// built once and read-only from then on. A State is one run: it belongs to one goroutine and is thrown away at the end of
// the run. Nothing of a run is left behind in a Proto or a Library.
//
// What is bounded: each instruction costs a step, and whatever takes longer than a few instructions (a copy, a comparison of
// long strings, a pattern that goes back and forth) costs steps by its length; each value built costs bytes. A run that has
// spent its Limits ends with an Error that the program cannot catch. So do, with an error that it can, a string that grows
// too long, a recursion that goes too deep and source that is nested too deep. There is no clock in it: nodes of different
// speed stop at the same instruction.
//
// What is the same everywhere: next and pairs go through an array in order and then through the other keys in the order in
// which they were added; tables and functions are printed with a number, not an address; every NaN is printed alike;
// math.random begins with the seed that the State was given.
//
// Deviations from Lua 5.1: there is no os, io, package or debug library, collectgarbage does nothing, compiled code cannot be
// loaded, tables do not call __gc and are never weak, a sort takes any order function. A coroutine cannot yield through
// pcall, a metamethod or a library function, as in Lua 5.1 itself.
package lua
