package workload

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

// listKind is a type of value that keeps elements in the order in which they were appended.
type listKind interface {
	append(key string, element int) []string
	// length is the number of elements that an append's reply tells.
	length(reply respclient.Value) int
	read(key string) []string
	// elements is what a read's reply tells.
	elements(reply respclient.Value) ([]int, error)
	// text is what a key with these elements is found to hold in the end.
	text(elements []int) string
}

// stringList keeps a list in a string, with APPEND: each element takes elementBytes, so that the reply's length tells
// the number of elements.
type stringList struct{}

const (
	elementBytes = 8
	elementBase  = 36
	elementMax   = 36 * 36 * 36 * 36 * 36 * 36 * 36 // of elementBytes-1 digits
)

func encodeElement(e int) string {
	digits := strconv.FormatInt(int64(e%elementMax), elementBase)
	return strings.Repeat("0", elementBytes-1-len(digits)) + digits + ","
}

func (stringList) append(key string, element int) []string {
	return []string{"APPEND", key, encodeElement(element)}
}

func (stringList) length(reply respclient.Value) int {
	if reply.Int%elementBytes != 0 {
		return -1 // no whole number of elements: the next read tells more
	}
	return int(reply.Int) / elementBytes
}

func (stringList) read(key string) []string { return []string{"GET", key} }

func (stringList) elements(reply respclient.Value) ([]int, error) {
	s := reply.Str
	if len(s)%elementBytes != 0 {
		return nil, fmt.Errorf("%d bytes, the last %q", len(s), s[max(0, len(s)-2*elementBytes):])
	}
	list := make([]int, 0, len(s)/elementBytes)
	for ; len(s) > 0; s = s[elementBytes:] {
		n, err := strconv.ParseInt(s[:elementBytes-1], elementBase, 64)
		if err != nil || s[elementBytes-1] != ',' {
			return nil, fmt.Errorf("%q", s[:elementBytes])
		}
		list = append(list, int(n))
	}
	return list, nil
}

func (stringList) text(elements []int) string {
	var b strings.Builder
	for _, e := range elements {
		b.WriteString(encodeElement(e))
	}
	return b.String()
}
