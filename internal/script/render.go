package script

import (
	"fmt"
	"hash/crc32"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	shownBytesMax = 200 // a longer string is summed up
	shownHead     = 32  // bytes of it that are shown
)

var masks = []string{"int", "bulk", "array", "any", "unordered"}

func knownMask(m string) bool { return slices.Contains(masks, m) }

// Render prints a reply on one line.
func Render(v respclient.Value) string {
	var b strings.Builder
	render(&b, v)
	return b.String()
}

func render(b *strings.Builder, v respclient.Value) {
	switch v.Kind {
	case respclient.Simple:
		if v.Str == "" || strings.Trim(v.Str, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			b.WriteString("(status) ")
		}
		b.WriteString(v.Str)
	case respclient.Error:
		b.WriteString("(error) " + v.Str)
	case respclient.Int:
		fmt.Fprintf(b, "(integer) %d", v.Int)
	case respclient.Bulk:
		b.WriteString(quote(v.Str))
	case respclient.Null:
		b.WriteString("(nil)")
	case respclient.NullArray:
		b.WriteString("(nil array)")
	case respclient.Double:
		b.WriteString("(double) " + v.Str)
	case respclient.BigNumber:
		b.WriteString("(big) " + v.Str)
	case respclient.Bool:
		fmt.Fprintf(b, "(%t)", v.Int == 1)
	case respclient.Verbatim:
		b.WriteString("(" + v.Format + ") " + quote(v.Str))
	default:
		renderElems(b, v)
	}
}

func renderElems(b *strings.Builder, v respclient.Value) {
	open, end := "[", "]"
	switch v.Kind {
	case respclient.Map:
		open, end = "{", "}"
	case respclient.Set:
		open, end = "#{", "}"
	case respclient.Push:
		open = ">["
	}
	b.WriteString(open)
	for i, e := range v.Elems {
		switch {
		case i == 0:
		case v.Kind == respclient.Map && i%2 == 1:
			b.WriteString(": ")
		default:
			b.WriteString(", ")
		}
		if e.Kind == respclient.Int {
			b.WriteString(strconv.FormatInt(e.Int, 10))
		} else {
			render(b, e)
		}
	}
	b.WriteString(end)
}

func quote(s string) string {
	if len(s) > shownBytesMax {
		return fmt.Sprintf("%s... (%d bytes, crc32 %08x)", quote(s[:shownHead]), len(s), crc32.ChecksumIEEE([]byte(s)))
	}
	return strconv.QuoteToASCII(s)
}

// masked prints a reply as a marker lets it be compared.
func masked(v respclient.Value, mask string) string {
	switch {
	case mask == "any":
		return "(any)"
	case mask == "int" && v.Kind == respclient.Int:
		return "(integer ~)"
	case mask == "bulk" && v.Kind == respclient.Bulk:
		return "(bulk ~)"
	case mask == "array" && v.Kind == respclient.Array:
		return "[~]"
	case mask == "unordered":
		v.Elems = Sorted(v.Elems)
	}
	return Render(v)
}

// Sorted returns replies in the order of how they are printed.
func Sorted(vs []respclient.Value) []respclient.Value {
	vs = slices.Clone(vs)
	sort.SliceStable(vs, func(i, j int) bool { return Render(vs[i]) < Render(vs[j]) })
	return vs
}
