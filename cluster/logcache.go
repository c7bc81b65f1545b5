package cluster

import (
	"sync"

	"github.com/hashicorp/raft"
)

// logCache keeps the newest entries of the log in memory, so that the leader does not read from disk what it has just
// written to send it to followers. It is bounded by entries and by bytes (raft.LogCache by entries alone, and ours differ
// a thousandfold in size). Safe for concurrent use, as the store beneath is.
type logCache struct {
	raft.LogStore
	onError func() // called at each failed write, before raft hears of it

	mu     sync.RWMutex
	ring   [logCacheEntries]*raft.Log // by index modulo length
	bytes  int
	oldest uint64 // entries below are not cached
}

const (
	logCacheEntries  = 1024
	logCacheBytesMax = 16 << 20 // two messages to a follower of the largest kind; what is older comes from the disk
)

func newLogCache(s raft.LogStore) *logCache { return &logCache{LogStore: s} }

// IsMonotonic implements raft.MonotonicLogStore.
func (c *logCache) IsMonotonic() bool {
	m, ok := c.LogStore.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic()
}

// GetLog implements raft.LogStore.
func (c *logCache) GetLog(index uint64, out *raft.Log) error {
	c.mu.RLock()
	l := c.ring[index%logCacheEntries]
	c.mu.RUnlock()
	if l != nil && l.Index == index {
		*out = *l
		return nil
	}
	return c.LogStore.GetLog(index, out)
}

// StoreLog implements raft.LogStore.
func (c *logCache) StoreLog(l *raft.Log) error { return c.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore: only what the store has accepted is cached.
func (c *logCache) StoreLogs(logs []*raft.Log) error {
	if err := c.LogStore.StoreLogs(logs); err != nil {
		c.failed()
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range logs {
		c.drop(l.Index)
		c.ring[l.Index%logCacheEntries] = l
		c.bytes += len(l.Data)
		c.oldest = max(c.oldest, l.Index-min(l.Index, logCacheEntries-1))
	}
	for ; c.bytes > logCacheBytesMax && c.oldest < logs[len(logs)-1].Index; c.oldest++ {
		c.drop(c.oldest)
	}
	return nil
}

// drop empties the place of an index. The caller holds mu.
func (c *logCache) drop(index uint64) {
	if old := c.ring[index%logCacheEntries]; old != nil {
		c.bytes -= len(old.Data)
		c.ring[index%logCacheEntries] = nil
	}
}

// DeleteRange implements raft.LogStore.
func (c *logCache) DeleteRange(from, to uint64) error {
	c.mu.Lock()
	clear(c.ring[:])
	c.bytes, c.oldest = 0, 0
	c.mu.Unlock()
	err := c.LogStore.DeleteRange(from, to)
	if err != nil {
		c.failed()
	}
	return err
}

func (c *logCache) failed() {
	if c.onError != nil {
		c.onError()
	}
}
