package resp

import "io"

// The sizes of a connection's read and write buffers. A connection that asks and waits lives in idleBufferBytes; one
// that fills its buffer gets activeBufferBytes, and more only while a command needs it.
const (
	idleBufferBytes   = 1 << 10
	activeBufferBytes = 16 << 10
	retainBufferBytes = 64 << 10 // a larger one is dropped as soon as it is empty

	retainArgsMax  = 8 << 10 // slots for arguments kept between reads
	idleArgsMax    = 64      // and by a connection that has become quiet
	emptyReadsMax  = 100     // reads in a row without a byte and without an error
	smallUsesLimit = 16      // uses in a row that an idle buffer would have served
)

// decay says when a buffer has been too large for long enough to be given back.
type decay struct{ small uint8 }

// due notes a use of so many bytes.
func (d *decay) due(used int) bool {
	if used > idleBufferBytes {
		d.small = 0
		return false
	}
	if d.small++; d.small < smallUsesLimit {
		return false
	}
	d.small = 0
	return true
}

// fill reads once from the source. It is called only when parse needs more bytes.
func (r *Reader) fill() error {
	pending := len(r.buf) - r.start
	if int64(pending) > r.commandBytesMax() {
		r.err = ErrQueryBufferLimit
		return r.err
	}
	if err := r.srcErr; err != nil {
		r.srcErr = nil
		return r.sourceError(err)
	}
	r.makeRoom(pending)
	n, err := r.read(r.buf[len(r.buf):cap(r.buf)])
	if n == 0 {
		return r.sourceError(err)
	}
	r.srcErr = err
	r.buf = r.buf[:len(r.buf)+n]
	r.full = len(r.buf) == cap(r.buf)
	return nil
}

// read returns at least one byte or an error.
func (r *Reader) read(p []byte) (n int, err error) {
	for range emptyReadsMax {
		n, err = r.src.Read(p)
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

func (r *Reader) sourceError(err error) error {
	if err == io.EOF && r.start < len(r.buf) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// makeRoom moves the command under way to the front of a buffer with room behind it. A command is moved once when it
// stops being behind others, and once for each doubling: linear in its bytes.
func (r *Reader) makeRoom(pending int) {
	size := r.size(pending)
	switch {
	case size == cap(r.buf) && r.start == 0: // a copy onto itself is not free on every platform
	case size == cap(r.buf):
		copy(r.buf, r.buf[r.start:])
		r.buf = r.buf[:pending]
	default:
		grown := make([]byte, pending, size)
		copy(grown, r.buf[r.start:])
		r.buf = grown
		r.dropArgs(size <= idleBufferBytes)
	}
	r.args = r.args[:0]
	if cap(r.args) > retainArgsMax {
		r.args = nil
	}
	if r.remaining == 0 && cap(r.spans) > retainArgsMax {
		r.spans = nil
	}
	r.base = 0
	r.pos -= r.start
	r.scan = max(r.scan-r.start, 0)
	r.start = 0
}

// dropArgs forgets the arguments handed out, which would keep the buffer alive that they point into.
func (r *Reader) dropArgs(quiet bool) {
	clear(r.args[:cap(r.args)])
	if quiet && cap(r.args) > idleArgsMax {
		r.args = nil
	}
	if quiet && r.remaining == 0 && cap(r.spans) > idleArgsMax {
		r.spans = nil
	}
}

// size is the capacity that the buffer should have for the next read.
func (r *Reader) size(pending int) int {
	have := cap(r.buf)
	if r.full && have <= activeBufferBytes/2 {
		return activeBufferBytes
	}
	if pending == 0 {
		return r.emptySize(have)
	}
	need := 0 // the end of the argument under way, once its length is known
	if r.remaining > 0 && r.bulk != bulkUnknown {
		need = r.pos - r.start + int(r.bulk) + lineEndBytes
	}
	if need > 0 && need <= have {
		return have
	}
	if have > retainBufferBytes && pending <= activeBufferBytes/2 {
		return activeBufferBytes // a large command is over, a small one has begun
	}
	if have-pending >= have/4 {
		return have
	}
	size := max(2*have, activeBufferBytes)
	if r.remaining == 1 && need > activeBufferBytes {
		// The last argument fits exactly. Not so the others: a step for each of them would be quadratic.
		size = min(size, need)
	}
	return size
}

// emptySize is size for an empty buffer.
func (r *Reader) emptySize(have int) int {
	switch {
	case have < idleBufferBytes, have > retainBufferBytes:
		return idleBufferBytes
	case have > idleBufferBytes && r.small.due(len(r.buf)):
		return idleBufferBytes
	}
	return have
}
