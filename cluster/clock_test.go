package cluster

import (
	"time"
	"unsafe"
)

// wallOff moves the wall clock reading of t by d and leaves the monotonic one, as a step of the machine's clock does.
func wallOff(t time.Time, d time.Duration) time.Time {
	moved := t.Add(d)
	mono := func(t *time.Time) *int64 { return (*int64)(unsafe.Add(unsafe.Pointer(t), 8)) }
	*mono(&moved) = *mono(&t)
	return moved
}
