package main

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

const baselineFile = "redis-" + suiteVersion + ".txt"

// baseline is how many checks of each file pass on a plain redis-server.
type baseline map[string]int

const baselineHead = `# How many checks of Redis's test suite pass on a plain redis-server of the same version, file by file, with the flags that
# are used against a cluster of ours. Written by: go run ./integration/conformance -baseline
`

func readBaseline(path string) (baseline, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b := make(baseline)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		file, count, _ := strings.Cut(line, " ")
		ok, err := strconv.Atoi(count)
		if err != nil || ok < 0 {
			return nil, fmt.Errorf("%s:%d: a line is a file and the number of its checks, this is %q", path, n, line)
		}
		b[file] = ok
	}
	return b, lines.Err()
}

func (b baseline) write(path string) error {
	var text bytes.Buffer
	text.WriteString(baselineHead)
	for _, file := range slices.Sorted(maps.Keys(b)) {
		fmt.Fprintf(&text, "%s %d\n", file, b[file])
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
}
