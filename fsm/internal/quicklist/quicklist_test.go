package quicklist

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// model is what a List is compared with.
type model struct {
	t    *testing.T
	rng  *rand.Rand
	list List
	want []string
}

// text is mostly short; some elements are as long as a chunk, or longer.
func (m *model) text() string {
	n := m.rng.IntN(10)
	switch m.rng.IntN(40) {
	case 0:
		n = m.rng.IntN(2 * chunkBytesMax)
	case 1, 2:
		n = 100 + m.rng.IntN(200)
	}
	return strings.Repeat(string(rune('a'+m.rng.IntN(4))), n)
}

func (m *model) end() End { return End(m.rng.IntN(2)) }

func (m *model) push(e End, s string) {
	m.list.Push(e, []byte(s))
	if e == Front {
		m.want = slices.Insert(m.want, 0, s)
		return
	}
	m.want = append(m.want, s)
}

func (m *model) pop(e End) {
	i := 0
	if e == Back {
		i = len(m.want) - 1
	}
	if got := string(m.list.Pop(e)); got != m.want[i] {
		m.t.Fatalf("Pop(%d): %.20q, want %.20q", e, got, m.want[i])
	}
	m.want = slices.Delete(m.want, i, i+1)
}

func (m *model) drop(e End, n int) {
	m.list.Drop(e, n)
	if e == Front {
		m.want = slices.Clone(m.want[n:])
		return
	}
	m.want = m.want[:len(m.want)-n]
}

func (m *model) remove(e End, most int, s string) {
	removed := 0
	if e == Back {
		slices.Reverse(m.want)
	}
	m.want = slices.DeleteFunc(m.want, func(w string) bool {
		if w != s || removed == most {
			return false
		}
		removed++
		return true
	})
	if e == Back {
		slices.Reverse(m.want)
	}
	if got := m.list.Remove(e, most, []byte(s)); got != removed {
		m.t.Fatalf("Remove(%d, %d, %.20q): %d, want %d", e, most, s, got, removed)
	}
}

// step does one thing at random.
func (m *model) step() {
	n := len(m.want)
	switch op := m.rng.IntN(100); {
	case op < 20 || n == 0:
		for e := m.end(); m.rng.IntN(30) > 0; {
			m.push(e, m.text())
		}
	case op < 40:
		for e := m.end(); len(m.want) > 0 && m.rng.IntN(20) > 0; {
			m.pop(e)
		}
	case op < 60:
		i, s := m.rng.IntN(n), m.text()
		m.list.Set(i, []byte(s))
		m.want[i] = s
	case op < 80:
		i, s := m.rng.IntN(n+1), m.text()
		m.list.Insert(i, []byte(s))
		m.want = slices.Insert(m.want, i, s)
	case op < 90:
		m.remove(m.end(), m.rng.IntN(20), m.want[m.rng.IntN(n)])
	case op < 92:
		m.remove(m.end(), n, m.text())
	case op < 96:
		m.drop(m.end(), m.rng.IntN(n+1)/4)
	case op == 99:
		m.drop(m.end(), n)
	default:
		i := m.rng.IntN(n)
		if got := string(m.list.At(i)); got != m.want[i] {
			m.t.Fatalf("At(%d) of %d: %.20q, want %.20q", i, n, got, m.want[i])
		}
	}
}

// check compares all elements, in both directions and from anywhere, and looks at the chunks.
func check(t *testing.T, rng *rand.Rand, l *List, want []string) {
	t.Helper()
	if l.Len() != len(want) {
		t.Fatalf("%d elements, want %d", l.Len(), len(want))
	}
	from := rng.IntN(len(want) + 1)
	for _, first := range []int{0, from} {
		next := first
		for i, s := range l.From(first) {
			if i != next || string(s) != want[i] {
				t.Fatalf("From(%d): element %d is %.20q, want %d, %.20q", first, i, s, next, want[i])
			}
			next++
		}
		if next != len(want) {
			t.Fatalf("From(%d) ends at %d of %d", first, next, len(want))
		}
	}
	next := len(want) - 1
	for i, s := range l.Backward() {
		if i != next || string(s) != want[i] {
			t.Fatalf("Backward: element %d is %.20q, want %d, %.20q", i, s, next, want[i])
		}
		next--
	}
	if next != -1 {
		t.Fatalf("Backward ends at %d", next)
	}
	for k, c := range l.chunks.live() {
		if c.n == 0 || c.n > chunkElementsMax || c.n > 1 && c.packed.len() > chunkBytesMax {
			t.Fatalf("chunk %d has %d elements in %d bytes", k, c.n, c.packed.len())
		}
	}
}

// TestAgainstSlice does random things to lists and to slices. Lists that were copied stay what they were, whatever is done to
// their copies, and may themselves go on.
func TestAgainstSlice(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 2))
		m := &model{t: t, rng: rng}
		held := &model{t: t, rng: rng}
		for step := range 3000 {
			m.step()
			if step%10 == 0 {
				check(t, rng, &m.list, m.want)
				check(t, rng, &held.list, held.want)
			}
			switch step % 37 {
			case 5: // as a snapshot does
				held.list, held.want = m.list, slices.Clone(m.want)
				m.list = held.list.Copy()
			case 20: // as COPY does: both go on
				held.list, held.want = m.list.Copy(), slices.Clone(m.want)
			case 21, 22, 23:
				held.step()
			}
		}
	}
}

// TestOneWay fills and empties lists in all the ways that queues and stacks are used.
func TestOneWay(t *testing.T) {
	const n = 5000
	rng := rand.New(rand.NewPCG(1, 2))
	for _, in := range []End{Front, Back} {
		for _, out := range []End{Front, Back} {
			m := &model{t: t, rng: rng}
			for i := range n {
				m.push(in, fmt.Sprint(i))
				if i%3 == 0 {
					m.pop(out)
				}
			}
			check(t, rng, &m.list, m.want)
			for len(m.want) > 1 {
				m.pop(out)
			}
			check(t, rng, &m.list, m.want)
			if got := cap(m.list.chunks.all); got > dequeRoomMin {
				t.Errorf("in %d, out %d: one element is left, and room for %d chunks", in, out, got)
			}
			if got := cap(m.list.end(Front).packed.all); got > 4*dequeRoomMin {
				t.Errorf("in %d, out %d: one element is left, in %d bytes", in, out, got)
			}
		}
	}
}

// TestAChangeCopiesOneChunk: after a Copy a push, and a change in the middle, cost what a chunk and the row of chunks do.
func TestAChangeCopiesOneChunk(t *testing.T) {
	var l List
	for i := range 100_000 {
		l.Push(Back, fmt.Append(nil, "element ", i))
	}
	text := []byte("text")
	changed := func(copied *List) (n int) {
		for i, c := range copied.chunks.live() {
			if before := l.chunks.live(); i >= len(before) || &c.packed.all[0] != &before[i].packed.all[0] {
				n++
			}
		}
		return n
	}
	for name, change := range map[string]func(*List){
		"Push": func(c *List) { c.Push(Back, text) }, "Set": func(c *List) { c.Set(50_000, text) },
		"Remove": func(c *List) { c.Remove(Front, 1, []byte("element 50000")) },
	} {
		c := l.Copy()
		change(&c)
		if got := changed(&c); got != 1 {
			t.Errorf("%s: %d chunks of %d are new", name, got, c.chunks.len())
		}
	}
}

// TestRemovalsLeaveNoSmallChunks: what is left of many chunks comes together.
func TestRemovalsLeaveNoSmallChunks(t *testing.T) {
	var l List
	for i := range 100_000 {
		if i%100 == 0 {
			l.Push(Back, fmt.Append(nil, i))
			continue
		}
		l.Push(Back, []byte("x"))
	}
	if got := l.Remove(Back, l.Len(), []byte("x")); got != 99_000 {
		t.Fatal(got)
	}
	if got := l.chunks.len(); got > 2*1000/(chunkElementsMax/2) {
		t.Errorf("1000 elements in %d chunks", got)
	}
}

// TestLongLengths: lengths of more than one byte are read from both sides.
func TestLongLengths(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 129, 1<<14 - 1, 1 << 14, 1<<21 + 5} {
		s := bytes.Repeat([]byte("x"), n)
		p := slices.Concat(packed([]byte("before")), packed(s))
		got, size := last(p)
		if !bytes.Equal(got, s) || size != packedBytes(s) {
			t.Errorf("last of %d bytes: %d bytes, size %d", n, len(got), size)
		}
		if got, size := first(p[len(p)-size:]); !bytes.Equal(got, s) || size != packedBytes(s) {
			t.Errorf("first of %d bytes: %d bytes, size %d", n, len(got), size)
		}
	}
}

const benchElements = 1_000_000

func million() (l List) {
	for i := range benchElements {
		l.Push(Back, fmt.Appendf(nil, "element:%07d", i))
	}
	return l
}

func BenchmarkPush(b *testing.B) {
	for _, e := range []End{Front, Back} {
		b.Run(fmt.Sprint(e), func(b *testing.B) {
			b.ReportAllocs()
			var l List
			s := []byte("element:0000000")
			for n := range b.N {
				if n%benchElements == 0 {
					l = List{}
				}
				l.Push(e, s)
			}
		})
	}
}

// BenchmarkRotate pops at one end of a million elements and pushes at the other.
func BenchmarkRotate(b *testing.B) {
	l := million()
	b.ReportAllocs()
	for b.Loop() {
		l.Push(Front, l.Pop(Back))
	}
}

func BenchmarkAt(b *testing.B) {
	l := million()
	i := 0
	for b.Loop() {
		i = (i + 7919) % benchElements
		l.At(i)
	}
}

func BenchmarkSet(b *testing.B) {
	l := million()
	i := 0
	for b.Loop() {
		i = (i + 7919) % benchElements
		l.Set(i, []byte("another:0000000"))
	}
}

func BenchmarkInsertAndRemove(b *testing.B) {
	l := million()
	for b.Loop() {
		l.Insert(benchElements/2, []byte("x"))
		l.Remove(Front, 1, []byte("x"))
	}
}

// BenchmarkPushAfterCopy is the first push after each snapshot.
func BenchmarkPushAfterCopy(b *testing.B) {
	l := million()
	b.ReportAllocs()
	for b.Loop() {
		l = l.Copy()
		l.Push(Back, []byte("x"))
	}
}
