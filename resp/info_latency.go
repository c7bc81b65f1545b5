package resp

import (
	"math/bits"
	"sort"
	"sync/atomic"
	"time"
)

// latencyHist counts durations in buckets whose width is at most 1/32 of their value: 32 for each doubling, from 1 us
// (shorter ones share the first bucket) to 64 s (longer ones share the last). The zero value is empty; all methods may
// be called from any goroutine.
type latencyHist struct {
	counts [histBuckets]atomic.Int64
}

const (
	histFirstBit = 10 // 2^10 ns, about a microsecond
	histLastBit  = 35 // up to 2^36 ns, about 69 s
	histSubBits  = 5
	histSubs     = 1 << histSubBits
	histBuckets  = 1 + (histLastBit-histFirstBit+1)*histSubs
)

func (h *latencyHist) record(d time.Duration) { h.counts[histBucket(d)].Add(1) }

func histBucket(d time.Duration) int {
	v := uint64(max(d, 0))
	bit := bits.Len64(v) - 1
	switch {
	case bit < histFirstBit:
		return 0
	case bit > histLastBit:
		return histBuckets - 1
	}
	return 1 + (bit-histFirstBit)*histSubs + int(v>>(bit-histSubBits))&(histSubs-1)
}

// histUpper is the longest duration of a bucket.
func histUpper(bucket int) time.Duration {
	if bucket == 0 {
		return 1<<histFirstBit - 1
	}
	bit, sub := histFirstBit+(bucket-1)/histSubs, (bucket-1)%histSubs
	return time.Duration(histSubs+sub+1)<<(bit-histSubBits) - 1
}

// each calls f for every bucket that holds something, shortest first, with its longest duration and its count.
func (h *latencyHist) each(f func(upper time.Duration, n int64)) {
	for i := range h.counts {
		if n := h.counts[i].Load(); n > 0 {
			f(histUpper(i), n)
		}
	}
}

// percentiles returns, for each percentage, the duration that so many of the calls did not exceed, rounded up to its
// bucket's end; nil if nothing was counted.
func (h *latencyHist) percentiles(percentages []float64) []time.Duration {
	type bucket struct {
		upper time.Duration
		upTo  int64
	}
	var buckets []bucket
	total := int64(0)
	h.each(func(upper time.Duration, n int64) {
		total += n
		buckets = append(buckets, bucket{upper, total})
	})
	if total == 0 {
		return nil
	}
	out := make([]time.Duration, len(percentages))
	for i, p := range percentages {
		at := sort.Search(len(buckets)-1, func(j int) bool { return float64(buckets[j].upTo) >= p/100*float64(total) })
		out[i] = buckets[at].upper
	}
	return out
}
