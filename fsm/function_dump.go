package fsm

import (
	"encoding/binary"
	"hash/crc64"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// A dump of libraries is as Redis 7.0 writes it, in the encoding of its RDB files, so that either can restore the other's:
//
//	{ 0xF5  source }*  version u16  crc64 u64 (of all before it)
//
// little endian. A source is a string of RDB: its length and its bytes, or, as Redis writes what that makes shorter,
// compressed by LZF.
const (
	opcodeFunction    = 0xF5
	opcodeFunctionOld = 0xF6 // of release candidates of 7.0
	dumpVersion       = 10   // of Redis 7.0's RDB
	dumpFootBytes     = 2 + 8
)

// jones is the polynomial of Redis's sums, reflected as Go wants it.
var jones = crc64.MakeTable(0x95AC9329AC4BC9B5)

// dumpSum begins at 0 and is not inverted, other than Go's.
func dumpSum(b []byte) uint64 { return ^crc64.Update(^uint64(0), jones, b) }

func functionDump(tx *Tx, _ *command.Call, r command.Reply) {
	var out []byte
	for _, l := range tx.m.functions.libs {
		out = append(out, opcodeFunction)
		out = appendDumpLength(out, len(l.code))
		out = append(out, l.code...)
	}
	out = binary.LittleEndian.AppendUint16(out, dumpVersion)
	r.Bulk(binary.LittleEndian.AppendUint64(out, dumpSum(out)))
}

// appendDumpLength writes a length in 6, 14 or 32 bits.
func appendDumpLength(dst []byte, n int) []byte {
	switch {
	case n < 1<<6:
		return append(dst, byte(n))
	case n < 1<<14:
		return append(dst, 0x40|byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0x80), uint32(n))
}

func functionRestore(tx *Tx, c *command.Call, r command.Reply) {
	policy := "append"
	if len(c.Args) > 3 {
		policy = strings.ToLower(string(c.Args[3]))
	}
	switch {
	case len(c.Args) > 4:
		r.Error("ERR unknown subcommand or wrong number of arguments for '" + string(c.Args[1]) + "'. Try FUNCTION HELP.")
		return
	case policy != "append" && policy != "flush" && policy != "replace":
		r.Error("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
		return
	}
	libs, errText := tx.readDump(c.Args[2])
	if errText == "" {
		errText = tx.restoreLibraries(libs, policy)
	}
	if errText != "" {
		r.Error(errText)
		return
	}
	r.Simple("OK")
}

// readDump loads the libraries of a dump.
func (tx *Tx) readDump(dump []byte) (libs []*functionLib, errText string) {
	n := len(dump) - dumpFootBytes
	if n < 0 || binary.LittleEndian.Uint16(dump[n:]) > dumpVersion || binary.LittleEndian.Uint64(dump[n+2:]) != dumpSum(dump[:n+2]) {
		return nil, "ERR DUMP payload version or checksum are wrong"
	}
	d := dumpReader{rest: dump[:n]}
	seen := map[string]bool{}
	for len(d.rest) > 0 {
		switch op := d.byte(); {
		case op == opcodeFunctionOld:
			return nil, "ERR Pre-GA function format not supported"
		case op != opcodeFunction:
			return nil, "ERR given type is not a function"
		}
		code := d.string()
		if d.bad {
			return nil, "ERR Failed loading library data"
		}
		lib, errText := tx.loadLibrary(code)
		switch {
		case errText != "":
			return nil, errText
		case seen[lib.name]:
			return nil, "ERR Library '" + lib.name + "' already exists"
		}
		seen[lib.name] = true
		libs = append(libs, lib)
	}
	return libs, ""
}

// restoreLibraries puts libraries beside those that are there, in the place of those of the same name, or of all.
func (tx *Tx) restoreLibraries(libs []*functionLib, policy string) (errText string) {
	all := functions{}
	if policy != "flush" {
		all = tx.m.functions
	}
	for _, l := range libs {
		old := all.lib(l.name)
		if old != nil && policy == "append" {
			return "ERR Library " + l.name + " already exists"
		}
		if all, errText = all.with(old, l); errText != "" {
			return errText
		}
	}
	tx.m.functions = all
	return ""
}

// dumpReader reads strings of RDB; bad is set by what is malformed.
type dumpReader struct {
	rest []byte
	bad  bool
}

func (d *dumpReader) byte() byte { return byte(d.uint(1)) }

func (d *dumpReader) take(n int) []byte {
	if d.bad || n < 0 || n > len(d.rest) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

// uint reads a big endian number.
func (d *dumpReader) uint(bytes int) (n uint64) {
	for _, c := range d.take(bytes) {
		n = n<<8 | uint64(c)
	}
	return n
}

// length reads a length. special is set where it is none but says how a string is encoded.
func (d *dumpReader) length() (n int, special bool) {
	c := d.byte()
	switch c >> 6 {
	case 0:
		return int(c), false
	case 1:
		return int(c&0x3f)<<8 | int(d.byte()), false
	case 3:
		return int(c & 0x3f), true
	}
	switch c {
	case 0x80:
		return int(d.uint(4)), false
	case 0x81:
		return int(d.uint(8)), false
	}
	d.bad = true
	return 0, false
}

func (d *dumpReader) string() string {
	n, special := d.length()
	if !special {
		return string(d.take(n))
	}
	const lzf = 3
	switch n {
	case 0:
		return formatInt(int64(int8(d.byte())))
	case lzf:
		packed, _ := d.length()
		size, _ := d.length()
		return string(d.unpack(d.take(packed), size))
	}
	d.bad = true
	return ""
}

// unpack undoes LZF: runs of literal bytes, and copies of what was written before.
func (d *dumpReader) unpack(src []byte, size int) (out []byte) {
	for len(src) > 0 && !d.bad {
		c := int(src[0])
		src = src[1:]
		if c < 1<<5 {
			n := min(c+1, len(src))
			out = append(out, src[:n]...)
			src = src[n:]
			d.bad = n != c+1 || len(out) > functionBytesMax
			continue
		}
		n := c >> 5
		if n == 7 && len(src) > 0 {
			n += int(src[0])
			src = src[1:]
		}
		if len(src) == 0 {
			d.bad = true
			break
		}
		back := (c&0x1f)<<8 | int(src[0])
		src = src[1:]
		at := len(out) - back - 1
		if d.bad = at < 0 || len(out) > functionBytesMax; d.bad {
			break
		}
		for i := range n + 2 { // it may run into what it writes
			out = append(out, out[at+i])
		}
	}
	d.bad = d.bad || len(out) != size
	return out
}
