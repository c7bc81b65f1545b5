package resp

import (
	"runtime/metrics"
	"sync"
	"time"
)

const (
	samplePeriod   = 100 * time.Millisecond // Redis's
	rateSamples    = 16                     // samples that a rate is the mean of
	peakEverySteps = 10                     // memory is looked at once a second
)

// sampler keeps what INFO shows but nobody counts as it happens: rates and peaks. sample's goroutine fills it.
type sampler struct {
	mu            sync.Mutex
	ops, in, out  rate
	startupBytes  int64 // memory in use when the server began to serve
	peakBytes     int64
	heapReadReuse []metrics.Sample // the samples' buffer
}

// rate is the mean growth of a counter.
type rate struct {
	last, at int64 // the counter, and when it was read in nanoseconds
	samples  [rateSamples]float64
	next     int
}

func (r *rate) sample(count, now int64) {
	if r.at != 0 && now > r.at {
		// CONFIG RESETSTAT takes a counter back to zero.
		r.samples[r.next] = float64(max(count-r.last, 0)) / (float64(now-r.at) / float64(time.Second))
		r.next = (r.next + 1) % rateSamples
	}
	r.last, r.at = count, now
}

func (r *rate) perSecond() float64 {
	sum := 0.0
	for _, s := range r.samples {
		sum += s
	}
	return sum / rateSamples
}

// sample is the goroutine that fills the sampler, until the server closes.
func (s *Server) sample() {
	defer s.wg.Done()
	tick := time.NewTicker(samplePeriod)
	defer tick.Stop()
	s.samples.begin()
	for step := 0; ; step++ {
		now := time.Since(s.started).Nanoseconds() + 1
		s.samples.mu.Lock()
		s.samples.ops.sample(s.stats.commands.Load(), now)
		s.samples.in.sample(s.stats.bytesIn.Load(), now)
		s.samples.out.sample(s.stats.bytesOut.Load(), now)
		s.samples.mu.Unlock()
		if step%peakEverySteps == 0 {
			s.samples.heap()
			s.closeIdle()
			s.closeSlow()
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *sampler) begin() {
	h := s.heap()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.startupBytes = h.used
}

// rates are commands, bytes in and bytes out a second.
func (s *sampler) rates() (ops, in, out float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ops.perSecond(), s.in.perSecond(), s.out.perSecond()
}

// heapFigures are the Go runtime's memory figures in bytes.
type heapFigures struct {
	used     int64 // objects, those that the collector has not swept yet included
	active   int64 // spans that hold objects
	resident int64 // what the runtime has from the kernel and has not given back
	startup  int64
	peak     int64 // of used, as sampled
}

// The runtime's names of what heap reads.
const (
	metricObjects  = "/memory/classes/heap/objects:bytes"
	metricUnused   = "/memory/classes/heap/unused:bytes"
	metricTotal    = "/memory/classes/total:bytes"
	metricReleased = "/memory/classes/heap/released:bytes"
)

// heap reads the runtime's figures and keeps the peak.
func (s *sampler) heap() heapFigures {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heapReadReuse == nil {
		s.heapReadReuse = []metrics.Sample{{Name: metricObjects}, {Name: metricUnused}, {Name: metricTotal}, {Name: metricReleased}}
	}
	metrics.Read(s.heapReadReuse)
	bytes := func(i int) int64 {
		v := s.heapReadReuse[i].Value
		if v.Kind() != metrics.KindUint64 {
			return 0
		}
		return int64(v.Uint64())
	}
	h := heapFigures{used: bytes(0), active: bytes(0) + bytes(1), resident: bytes(2) - bytes(3), startup: s.startupBytes}
	s.peakBytes = max(s.peakBytes, h.used)
	h.peak = s.peakBytes
	return h
}
