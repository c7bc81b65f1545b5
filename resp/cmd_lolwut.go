package resp

import (
	"math/rand/v2"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// LOLWUT draws something. Its flags are Redis's: it counts as a read although it reads nothing.
var lolwutCommands = []entry{{
	Spec: command.Spec{
		Name: "lolwut", Arity: -1, Flags: command.ReadOnly | command.Fast, Group: "server", Since: "5.0.0",
		Summary: "Draws a redoubt and tells the version.", Complexity: "O(1)",
	}, run: lolwut,
}}

func lolwut(c *conn, args [][]byte) {
	if len(args) >= 3 && word(args[1], "version") {
		if _, ok := ParseInt64(args[2]); !ok {
			c.w.Error(command.ErrNotInteger)
			return
		}
	}
	c.w.Verbatim("txt", drawRedoubt(rand.New(rand.NewPCG(randomUint64(), 0)))+
		"\nRedoubt ver. "+c.srv.backend.NodeInfo().Version+"\n")
}

// The sizes of the drawing, in characters.
const (
	fortColumns   = 64
	fortRows      = 9
	towerColumns  = 7
	towerRowsMin  = 5
	towerRowsMore = 4
	wallColumns   = 4
	wallMore      = 8
	wallRows      = 3
)

// drawRedoubt draws towers and walls with battlements, never the same twice.
func drawRedoubt(rng *rand.Rand) string {
	heights := make([]int, 0, fortColumns+towerColumns+wallColumns+wallMore)
	run := func(columns, height int) {
		for range columns {
			heights = append(heights, height)
		}
	}
	for len(heights) < fortColumns {
		run(towerColumns, towerRowsMin+rng.IntN(towerRowsMore))
		run(wallColumns+rng.IntN(wallMore), wallRows)
	}
	run(towerColumns, towerRowsMin)
	var b strings.Builder
	for row := fortRows; row > 0; row-- {
		line := make([]byte, len(heights))
		for x, h := range heights {
			line[x] = fortStone(x, row, h, rng)
		}
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	return b.String()
}

func fortStone(x, row, height int, rng *rand.Rand) byte {
	switch {
	case row > height:
		return ' '
	case row == height: // the battlement
		return " #"[(x+1)%2]
	case row == height-2 && height > wallRows && rng.IntN(6) == 0:
		return 'o' // an embrasure
	case row == 1:
		return '='
	}
	return "#|"[(x+2*row)/4%2]
}
