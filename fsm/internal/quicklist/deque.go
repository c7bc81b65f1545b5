package quicklist

import "slices"

// deque is a slice that grows and shrinks at both ends.
type deque[T any] struct {
	all  []T
	from int // all[from:] is the content; before it there is room
}

// dequeRoomMin is the room up to which a deque does not shrink.
const dequeRoomMin = 32

func (d *deque[T]) live() []T { return d.all[d.from:] }
func (d *deque[T]) len() int  { return len(d.all) - d.from }

// grow adds n elements at an end, and returns them to be filled.
func (d *deque[T]) grow(e End, n int) []T {
	if e == Front {
		if d.from < n {
			d.remake(n+d.len(), cap(d.all)-len(d.all))
		}
		d.from -= n
		return d.all[d.from : d.from+n]
	}
	at := len(d.all)
	if cap(d.all)-at < n {
		d.remake(0, max(n, d.len()))
		at = len(d.all)
	}
	d.all = d.all[:at+n]
	return d.all[at:]
}

// remake moves the content to memory of its own, with at least so much room at its ends.
func (d *deque[T]) remake(front, back int) {
	n := d.len()
	all := slices.Grow([]T(nil), front+n+back)
	from := 0
	if front > 0 {
		from = cap(all) - back - n
	}
	all = all[:from+n]
	copy(all[from:], d.live())
	d.all, d.from = all, from
}

// drop takes n elements away from an end. It writes to none of them.
func (d *deque[T]) drop(e End, n int) {
	if e == Front {
		d.from += n
	} else {
		d.all = d.all[:len(d.all)-n]
	}
	if cap(d.all) > dequeRoomMin && 4*d.len() < cap(d.all) {
		d.remake(0, d.len())
	}
}

// compact gives room back that would be worth it.
func (d *deque[T]) compact() {
	if room := cap(d.all) - d.len(); room > cap(d.all)/8 {
		d.remake(0, 0)
	}
}
