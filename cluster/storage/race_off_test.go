//go:build !race

package storage

const flips = 300
