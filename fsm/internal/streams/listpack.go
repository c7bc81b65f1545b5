package streams

import "github.com/redoubtdb/redoubt/fsm/command"

// Redis keeps a node in a listpack, and closes the node by the bytes that it has. The functions here count the bytes without
// writing any, by Redis's description of the format.

const (
	listpackBytes  = 7 // of one without elements: a head of 6 and an end of 1
	integerTextMax = 20
)

// listpackInt is what an integer takes as an element.
func listpackInt(n int64) int {
	switch {
	case n >= 0 && n <= 127:
		return listpackElement(1)
	case n >= -1<<12 && n < 1<<12:
		return listpackElement(2)
	case n >= -1<<15 && n < 1<<15:
		return listpackElement(3)
	case n >= -1<<23 && n < 1<<23:
		return listpackElement(4)
	case n >= -1<<31 && n < 1<<31:
		return listpackElement(5)
	}
	return listpackElement(9)
}

// listpackText is what a text takes as an element. One that reads as an integer is kept as one.
func listpackText(s []byte) int {
	if len(s) <= integerTextMax {
		if n, ok := command.ParseInt(s); ok {
			return listpackInt(n)
		}
	}
	switch n := len(s); {
	case n < 1<<6:
		return listpackElement(1 + n)
	case n < 1<<12:
		return listpackElement(2 + n)
	default:
		return listpackElement(5 + n)
	}
}

// listpackElement is what n bytes of an element take with the length behind them.
func listpackElement(n int) int {
	switch {
	case n <= 127:
		return n + 1
	case n < 1<<14-1:
		return n + 2
	case n < 1<<21-1:
		return n + 3
	case n < 1<<28-1:
		return n + 4
	}
	return n + 5
}

// headBytes is what Redis has at the beginning of a node: two counts, the names of its first entry and how many they are, and
// an end.
func headBytes(fields [][]byte) int {
	bytes := listpackBytes + 2*listpackInt(0) + listpackInt(int64(len(fields)/2)) + listpackInt(0)
	for i := 0; i < len(fields); i += 2 {
		bytes += listpackText(fields[i])
	}
	return bytes
}

// entryBytes is what an entry takes in Redis's node: flags, its ID as seen from the node's, names (unless they are the node's)
// and values, and how many elements these are.
func entryBytes(base, id ID, fields [][]byte, same bool) int {
	n := int64(len(fields) / 2)
	bytes := listpackInt(0) + listpackInt(int64(id.Ms-base.Ms)) + listpackInt(int64(id.Seq-base.Seq))
	elements := n + 3
	if !same {
		bytes += listpackInt(n)
		elements += n + 1
	}
	for i, f := range fields {
		if i%2 == 1 || !same {
			bytes += listpackText(f)
		}
	}
	return bytes + listpackInt(elements)
}
