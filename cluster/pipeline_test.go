package cluster

import (
	"testing"

	"github.com/redoubtdb/redoubt/transport"
)

// TestLargestMessageFits: a leader sends a node that lags MaxAppendEntries entries at once, however large they are.
func TestLargestMessageFits(t *testing.T) {
	const around = 1 << 10 // an entry's header and checksum; an id and two addresses
	c := Config{Profile: ProfileLAN}
	if most := c.raftConfig().MaxAppendEntries*(entryBytesGreatest+around) + around; most > transport.AppendBytesMax {
		t.Errorf("a message may have %d bytes, the transport takes %d", most, transport.AppendBytesMax)
	}
}
