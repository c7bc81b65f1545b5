//go:build race

package storage

// flips are fewer under the race detector: they run on one goroutine, which it only slows down.
const flips = 40
