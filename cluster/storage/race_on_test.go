//go:build race

package storage

// Under the race detector there are fewer flips and cuts: they run on one goroutine, which it only slows down.
const (
	flipsUsual    = 40
	tornStepUsual = 61
)
