package simtest

import "math"

// SetFree says how much room the disk has, in bytes; 0: more than enough. It is only told: writes succeed as before.
func (d *Disk) SetFree(bytes uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = bytes
}

// FreeBytes is the room on the disk.
func (d *Disk) FreeBytes() (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.free == 0 {
		return math.MaxUint64, nil
	}
	return d.free, nil
}
