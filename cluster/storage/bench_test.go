package storage

import (
	"fmt"
	"testing"

	"github.com/hashicorp/raft"
)

// BenchmarkAppend is what a batch of entries of 16 KiB costs, durable.
func BenchmarkAppend(b *testing.B) {
	for _, kind := range kinds {
		for _, mode := range []FsyncMode{FsyncAlways, FsyncEverySec} {
			for _, n := range []int{1, 50} {
				if kind == LogBoltDB && mode != FsyncAlways {
					continue
				}
				b.Run(fmt.Sprintf("%s/%s/%dx16KiB", kind, mode, n), func(b *testing.B) { benchAppend(b, kind, mode, n) })
			}
		}
	}
}

func benchAppend(b *testing.B, kind string, mode FsyncMode, n int) {
	o := testOptions(b.TempDir(), kind)
	o.segmentBytes, o.Fsync = 0, mode
	d := mustOpen(b, o)
	setTerm(b, d, 1)
	data := make([]byte, 16<<10)
	logs := make([]*raft.Log, n)
	index := uint64(0)
	b.SetBytes(int64(n * len(data)))
	for b.Loop() {
		for i := range logs {
			index++
			logs[i] = &raft.Log{Index: index, Term: 1, Data: data}
		}
		must(b, d.Log().StoreLogs(logs))
		if index%10_000 == 0 { // keep the disk from filling
			must(b, d.Log().DeleteRange(1, index-100))
		}
	}
	b.StopTimer()
	mustClose(b, d)
}

// BenchmarkChecksum is the share of the checksum layer.
func BenchmarkChecksum(b *testing.B) {
	l := &raft.Log{Index: 1, Term: 1, Data: make([]byte, 16<<10)}
	b.SetBytes(int64(len(l.Data)))
	for b.Loop() {
		_ = recordSum(l, nil)
	}
}
