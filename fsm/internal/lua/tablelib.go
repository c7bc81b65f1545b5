package lua

import "strings"

func (l *Library) openTable() {
	l.Set("table", TableValue(Funcs("table", map[string]func(c *Call){
		"concat": tableConcat, "insert": tableInsert, "remove": tableRemove, "sort": tableSort, "maxn": tableMaxn,
		"getn":     func(c *Call) { c.Push(Int(c.Table(0).Len())) },
		"setn":     func(c *Call) { c.Errorf("'setn' is obsolete") },
		"foreach":  tableForeach,
		"foreachi": tableForeachi,
	})))
}

func tableConcat(c *Call) {
	t, sep := c.Table(0), c.OptString(1, "")
	i, j := c.OptInt(2, 1), 0
	if c.Arg(3).IsNil() {
		j = t.Len()
	} else {
		j = c.Int(3)
	}
	var b strings.Builder
	for first := i; i <= j; i++ {
		c.st.Spend(1)
		v := t.GetInt(i)
		s, ok := v.ToString()
		if !ok {
			c.Errorf("invalid value (%s) at index %d in table for 'concat'", v.Type(), i)
		}
		if i > first {
			b.WriteString(sep)
		}
		c.st.Room(b.Len() + len(s) + len(sep))
		c.st.Spend((len(s) + len(sep)) / stepBytes)
		b.WriteString(s)
	}
	c.PushString(b.String())
}

func tableInsert(c *Call) {
	t := c.Table(0)
	n := t.Len() + 1
	switch c.NArgs() {
	case 2:
		c.t.rawSet(t, Int(n), c.args[1])
	case 3:
		at := c.Int(1)
		if at > n {
			n = at
		}
		if t.readonly {
			c.t.rawSet(t, Int(n), Nil)
		}
		c.openPlace(t, at, n)
		c.t.rawSet(t, Int(at), c.args[2])
	default:
		c.Errorf("wrong number of arguments to 'insert'")
	}
}

// openPlace moves t[at], t[at+1] ... up to t[n-1] by one, so that at is free.
func (c *Call) openPlace(t *Table, at, n int) {
	if at >= 1 && at < n { // all in the array
		c.st.Spend((n - at) / 16)
		c.st.Put(t, Int(n), t.GetInt(n-1))
		copy(t.arr[at:n], t.arr[at-1:n-1])
		return
	}
	for ; n > at; n-- {
		c.st.Spend(1)
		c.st.Put(t, Int(n), t.GetInt(n-1))
	}
}

func tableRemove(c *Call) {
	t := c.Table(0)
	n := t.Len()
	at := c.OptInt(1, n)
	if at < 1 || at > n {
		return
	}
	if t.readonly {
		c.t.rawSet(t, Int(at), Nil)
	}
	v := t.GetInt(at)
	c.st.Spend((n - at) / 16)
	copy(t.arr[at-1:n-1], t.arr[at:n])
	t.arr[n-1] = Nil
	c.Push(v)
}

func tableMaxn(c *Call) {
	t := c.Table(0)
	c.st.Spend(t.Size())
	most := 0.0
	for i, v := range t.arr {
		if !v.IsNil() {
			most = float64(i + 1)
		}
	}
	for _, e := range t.ents {
		if e.key.IsNumber() && !e.val.IsNil() && e.key.n > most {
			most = e.key.n
		}
	}
	c.Push(Number(most))
}

func tableForeach(c *Call) {
	t, f := c.Table(0), c.Any(1)
	for k := Nil; ; {
		next, v, passed, ok := t.Next(k)
		c.st.Spend(1 + passed/8)
		if !ok {
			c.Errorf("invalid key to 'next'")
		}
		if next.IsNil() {
			return
		}
		if r := c.t.call1(f, next, v); !r.IsNil() {
			c.Push(r)
			return
		}
		k = next
	}
}

func tableForeachi(c *Call) {
	t, f := c.Table(0), c.Any(1)
	n := t.Len()
	for i := 1; i <= n; i++ {
		c.st.Spend(1)
		if r := c.t.call1(f, Int(i), t.GetInt(i)); !r.IsNil() {
			c.Push(r)
			return
		}
	}
}

// tableSort sorts by merging: it takes n log n comparisons whatever the order function says, keeps equal elements in their
// order, and does the same in every build.
func tableSort(c *Call) {
	t, f := c.Table(0), c.Arg(1)
	if !f.IsNil() && f.Function() == nil {
		c.typeError(1, "function")
	}
	n := t.Len()
	if n < 2 {
		return
	}
	if t.readonly {
		c.t.rawSet(t, Int(1), Nil)
	}
	c.st.Charge(2 * n * valueBytes)
	vs, spare := make([]Value, n), make([]Value, n)
	for i := range vs {
		vs[i] = t.GetInt(i + 1)
	}
	less := func(a, b Value) bool {
		c.st.Spend(1)
		if f.IsNil() {
			return c.t.less(a, b, false)
		}
		return c.t.call1(f, a, b).Truth()
	}
	mergeSort(vs, spare, less)
	for i, v := range vs {
		c.st.Put(t, Int(i+1), v)
	}
}

func mergeSort(vs, spare []Value, less func(a, b Value) bool) {
	if len(vs) < 2 {
		return
	}
	mid := len(vs) / 2
	mergeSort(vs[:mid], spare, less)
	mergeSort(vs[mid:], spare, less)
	left := spare[:copy(spare, vs[:mid])]
	i, j := 0, mid
	for k := 0; i < len(left); k++ {
		if j < len(vs) && less(vs[j], left[i]) {
			vs[k] = vs[j]
			j++
			continue
		}
		vs[k] = left[i]
		i++
	}
}
