package main

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// median is the middle value, the mean of the two in the middle of an even number, and NaN of nothing.
func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}

// most is the largest value, and NaN of nothing.
func most(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	return slices.Max(v)
}

// histogramSub is how many buckets each power of two has: a quantile is exact to one part in histogramSub.
const (
	histogramSubBits = 5
	histogramSub     = 1 << histogramSubBits
	histogramBuckets = (64 - histogramSubBits) * histogramSub
)

// histogram counts durations in buckets that grow with them, so that its size does not depend on how many there are.
type histogram struct {
	count   [histogramBuckets]uint64
	samples uint64
}

// add counts n times the duration d.
func (h *histogram) add(d time.Duration, n int) {
	h.count[bucketOf(uint64(max(d, 0)))] += uint64(n)
	h.samples += uint64(n)
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o.count {
		h.count[i] += n
	}
	h.samples += o.samples
}

// quantile is the largest duration of the bucket that holds the q-th part (0 to 1) of the samples; 0 without samples.
func (h *histogram) quantile(q float64) time.Duration {
	if h.samples == 0 {
		return 0
	}
	want := max(uint64(math.Ceil(q*float64(h.samples))), 1)
	var seen uint64
	for i, n := range h.count {
		if seen += n; seen >= want {
			return time.Duration(bucketTop(i))
		}
	}
	return time.Duration(bucketTop(histogramBuckets - 1))
}

// bucketOf: values below histogramSub have a bucket each; above, the top histogramSubBits+1 bits choose it.
func bucketOf(v uint64) int {
	if v < histogramSub {
		return int(v)
	}
	shift := bits.Len64(v) - histogramSubBits - 1
	return min(shift*histogramSub+int(v>>shift), histogramBuckets-1)
}

// bucketTop is the largest value of a bucket.
func bucketTop(i int) uint64 {
	if i < 2*histogramSub {
		return uint64(i)
	}
	shift := i/histogramSub - 1
	return uint64(i%histogramSub+histogramSub+1)<<shift - 1
}
