//go:build !race

package storage

const (
	flipsUsual    = 200
	tornStepUsual = 13
)
