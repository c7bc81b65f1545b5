package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the program can measure.
const (
	modeMatrix   = "matrix"
	modeGrowth   = "growth" // set by -growth
	modeSnapshot = "snapshot"
	modeMemory   = "memory"
	modeRestart  = "restart"
	modeFailover = "failover"
)

// options are the settings of a run.
type options struct {
	mode, growth           string
	dir, binary, out, svg  string
	serverArgs             []string // that every server of ours gets
	conns                  []int
	pipelines              []int
	sizes                  []int // bytes of a value
	points                 []int // of a growth
	rounds, keys, failures int
	cell                   time.Duration
	rest                   time.Duration // between the filling of the servers and the second look at their memory
	command                string        // as it was typed, for the report
}

// Limits of what the flags take.
const (
	connsMax    = 10_000
	pipelineMax = 1000    // commands in flight on one connection
	sizeMax     = 1 << 20 // bytes of a value
	roundsMax   = 99
	failuresMax = 1000
	keysMax     = 10_000_000
	cellMin     = 100 * time.Millisecond
	cellMax     = 10 * time.Minute
	restMax     = 10 * time.Minute
)

// preset are the defaults of a mode.
type preset struct {
	conns, pipelines, sizes string
	keys                    int
	cell                    time.Duration
}

var presets = map[string]preset{
	modeMatrix:   {"1,50,200", "1,16", "3,256", 100_000, 1800 * time.Millisecond},
	modeGrowth:   {"50", "1", "256", 100_000, 1800 * time.Millisecond},
	modeSnapshot: {"50", "1", "256", 2_000_000, 5 * time.Second},
	modeMemory:   {"50", "1", "100", 1_000_000, time.Second},
	modeRestart:  {"50", "1", "100", 5_000_000, time.Second},
	modeFailover: {"4", "1", "3", 1000, time.Second},
}

// quickPreset is the matrix in little time.
var quickPreset = preset{"1,50,200", "1,16", "3", 100_000, 400 * time.Millisecond}

func parseOptions(args []string, errOut io.Writer) (options, error) {
	o := options{command: strings.Join(append([]string{"go run ./integration/bench"}, args...), " ")}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.StringVar(&o.mode, "mode", modeMatrix, "what is measured: matrix, snapshot, memory, restart or failover")
	fs.StringVar(&o.growth, "growth", "", "measure how the cost grows with: nodes, values, conns or keys")
	points := fs.String("points", "", "with -growth: where to measure (default: what the issue of the growth asks for)")
	fs.StringVar(&o.svg, "svg", "", "with -growth: directory that the picture is written into")
	quick := fs.Bool("quick", false, "matrix: fewer and shorter cells, about two minutes")
	conns := fs.String("conns", "", "numbers of connections; other modes than the matrix take one number")
	pipelines := fs.String("pipelines", "", "commands in flight on each connection; other modes take one number")
	sizes := fs.String("sizes", "", "bytes of a value; other modes take one number")
	fs.IntVar(&o.rounds, "rounds", 3, "how often each cell is measured; the median counts")
	fs.IntVar(&o.keys, "keys", 0, "number of keys, chosen at random (default: the mode's)")
	fs.IntVar(&o.failures, "failures", 20, "failover: how many leaders are killed, and how many hand over")
	fs.DurationVar(&o.cell, "cell", 0, "how long one measurement takes, about (default: the mode's)")
	fs.DurationVar(&o.rest, "rest", 30*time.Second, "memory: time between the end of the filling and the second look")
	fs.StringVar(&o.dir, "dir", "", "where the data goes; a real disk (default data/bench in the module)")
	fs.StringVar(&o.binary, "redoubt", "", "the redoubt program (default: built from the module)")
	serverArgs := fs.String("server-args", "", "further flags for every server of ours")
	fs.StringVar(&o.out, "o", "", "file that the report is written to as well")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	o.serverArgs = strings.Fields(*serverArgs)
	if err := o.chooseMode(); err != nil {
		return o, err
	}
	o.defaults(*quick, conns, pipelines, sizes)
	return o, errors.Join(o.lists(*conns, *pipelines, *sizes, *points), o.validate())
}

func (o *options) chooseMode() error {
	if o.growth != "" {
		if o.mode != modeMatrix {
			return errors.New("-growth and -mode are two things to measure: name one")
		}
		if _, ok := growths[o.growth]; !ok {
			return fmt.Errorf("-growth is nodes, values, conns or keys, got %q", o.growth)
		}
		o.mode = modeGrowth
		return nil
	}
	if _, ok := presets[o.mode]; !ok || o.mode == modeGrowth {
		return fmt.Errorf("-mode is matrix, snapshot, memory, restart or failover, got %q", o.mode)
	}
	return nil
}

func (o *options) defaults(quick bool, conns, pipelines, sizes *string) {
	p := presets[o.mode]
	if quick && o.mode == modeMatrix {
		p = quickPreset
	}
	for _, f := range []struct {
		set  *string
		none string
	}{{conns, p.conns}, {pipelines, p.pipelines}, {sizes, p.sizes}} {
		if *f.set == "" {
			*f.set = f.none
		}
	}
	if o.keys == 0 {
		o.keys = p.keys
	}
	if o.cell == 0 {
		o.cell = p.cell
	}
}

func (o *options) lists(conns, pipelines, sizes, points string) error {
	var errs [4]error
	o.conns, errs[0] = numbers("conns", conns, connsMax)
	o.pipelines, errs[1] = numbers("pipelines", pipelines, pipelineMax)
	o.sizes, errs[2] = numbers("sizes", sizes, sizeMax)
	if points != "" && o.mode == modeGrowth {
		o.points, errs[3] = numbers("points", points, growths[o.growth].most)
		slices.Sort(o.points)
	} else {
		o.points = growths[o.growth].points
	}
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	if o.mode != modeMatrix && len(o.conns)*len(o.pipelines)*len(o.sizes) != 1 {
		return errors.New("-conns, -pipelines and -sizes take one number each outside the matrix")
	}
	return nil
}

func (o *options) validate() error {
	switch {
	case o.rounds < 1 || o.rounds > roundsMax:
		return fmt.Errorf("-rounds is 1 to %d", roundsMax)
	case o.keys < 1 || o.keys > keysMax:
		return fmt.Errorf("-keys is 1 to %d", keysMax)
	case o.failures < 1 || o.failures > failuresMax:
		return fmt.Errorf("-failures is 1 to %d", failuresMax)
	case o.cell < cellMin || o.cell > cellMax:
		return fmt.Errorf("-cell is %s to %s", cellMin, cellMax)
	case o.rest < 0 || o.rest > restMax:
		return fmt.Errorf("-rest is 0 to %s", restMax)
	case o.svg != "" && o.mode != modeGrowth:
		return errors.New("-svg goes with -growth")
	}
	return nil
}

// numbers parses a list such as "1,50,200".
func numbers(name, list string, most int) ([]int, error) {
	var out []int
	for field := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 || n > most {
			return nil, fmt.Errorf("-%s takes numbers from 1 to %d with commas between them, got %q", name, most, list)
		}
		out = append(out, n)
	}
	return out, nil
}
