package fsm

import "github.com/redoubtdb/redoubt/fsm/command"

// The generic group of Redis 7.0: keys as such.
var genericCommands = []cmd{
	{command.Spec{
		Name: "del", Arity: -2, Flags: command.Write, Group: "generic", Since: "1.0.0",
		Keys: manyKeys(1, command.RM|command.Delete), Tips: tipsSum,
		Summary: "Removes keys.", Complexity: "O(N) for N keys",
	}, del},
	{command.Spec{
		Name: "unlink", Arity: -2, Flags: command.Write | command.Fast, Group: "generic", Since: "4.0.0",
		Keys: manyKeys(1, command.RM|command.Delete), Tips: tipsSum,
		Summary: "Removes keys. Memory is given back later, here by `DEL` too.", Complexity: "O(N) for N keys",
	}, del},
	{command.Spec{
		Name: "exists", Arity: -2, Flags: command.ReadOnly | command.Fast, Group: "generic", Since: "1.0.0",
		Keys: manyKeys(1, command.RO), Tips: tipsSum,
		Summary: "Counts which of the keys exist.", Complexity: "O(N) for N keys",
	}, exists},
	{command.Spec{
		Name: "touch", Arity: -2, Flags: command.ReadOnly | command.Fast, Group: "generic", Since: "3.2.1",
		Keys: manyKeys(1, command.RO), Tips: tipsSum,
		Summary: "Counts which of the keys exist and notes that they were used.", Complexity: "O(N) for N keys",
	}, touch},
	{command.Spec{
		Name: "type", Arity: 2, Flags: command.ReadOnly | command.Fast, Group: "generic", Since: "1.0.0",
		Keys:    oneKey(command.RO),
		Summary: "Returns the type of a key's value.", Complexity: "O(1)",
	}, typeOf},
	{command.Spec{
		Name: "rename", Arity: 3, Flags: command.Write, Group: "generic", Since: "1.0.0",
		Keys:    []command.KeySpec{keyAt(1, command.RW|command.Access|command.Delete), keyAt(2, command.OW|command.Update)},
		Summary: "Gives a key another name, in the place of the key that has it.", Complexity: "O(1)",
	}, rename},
	{command.Spec{
		Name: "renamenx", Arity: 3, Flags: command.Write | command.Fast, Group: "generic", Since: "1.0.0",
		Keys:    []command.KeySpec{keyAt(1, command.RW|command.Access|command.Delete), keyAt(2, command.OW|command.Insert)},
		Summary: "Gives a key another name that no key has.", Complexity: "O(1)",
	}, renamenx},
	{command.Spec{
		Name: "copy", Arity: -3, Flags: command.Write | command.DenyOOM, Group: "generic", Since: "6.2.0",
		Keys:    []command.KeySpec{keyAt(1, command.RO|command.Access), keyAt(2, command.OW|command.Update)},
		Summary: "Copies a key's value to another key.", Complexity: "O(N) for a collection of N elements, O(1) for a short string",
	}, copyKey},
	{command.Spec{
		Name: "move", Arity: 3, Flags: command.Write | command.Fast, Group: "generic", Since: "1.0.0",
		Keys:    oneKey(command.RW | command.Access | command.Update),
		Summary: "Moves a key to another database.", Complexity: "O(1)",
	}, move},
}

func del(tx *Tx, c *command.Call, r command.Reply) {
	n := int64(0)
	for _, key := range c.Args[1:] {
		if it := tx.peek(key); it != nil {
			tx.remove(key, it)
			n++
		}
	}
	r.Int(n)
}

// remove deletes a present key for a command that says so.
func (tx *Tx) remove(key []byte, it *item) {
	tx.delete(it)
	tx.event(command.EventGeneric, "del", key)
}

func exists(tx *Tx, c *command.Call, r command.Reply) { r.Int(countKeys(c, tx.peek)) }

func touch(tx *Tx, c *command.Call, r command.Reply) { r.Int(countKeys(c, tx.lookup)) }

func countKeys(c *command.Call, find func(key []byte) *item) (n int64) {
	for _, key := range c.Args[1:] {
		if find(key) != nil {
			n++
		}
	}
	return n
}

func typeOf(tx *Tx, c *command.Call, r command.Reply) {
	it := tx.peek(c.Args[1])
	if it == nil {
		r.Simple("none")
		return
	}
	r.Simple(it.kind().String())
}

func rename(tx *Tx, c *command.Call, r command.Reply) {
	it := tx.lookup(c.Args[1])
	if it == nil {
		r.Error(command.ErrNoSuchKey)
		return
	}
	if it.key() != string(c.Args[2]) {
		tx.rename(c.Args[1], it, c.Args[2])
	}
	r.Simple("OK")
}

func renamenx(tx *Tx, c *command.Call, r command.Reply) {
	it := tx.lookup(c.Args[1])
	switch {
	case it == nil:
		r.Error(command.ErrNoSuchKey)
	case tx.lookup(c.Args[2]) != nil: // the same name among them
		r.Int(0)
	default:
		tx.rename(c.Args[1], it, c.Args[2])
		r.Int(1)
	}
}

// rename gives a present key another name.
func (tx *Tx) rename(key []byte, it *item, name []byte) {
	tx.delete(it)
	tx.replace(name, it.value(), it.expireAt())
	tx.event(command.EventGeneric, "rename_from", key)
	tx.event(command.EventGeneric, "rename_to", name)
}

// in runs f in another database.
func (tx *Tx) in(db int, f func()) {
	from := tx.db
	tx.selectDB(db)
	f()
	tx.selectDB(from)
}

func move(tx *Tx, c *command.Call, r command.Reply) {
	db, ok := tx.dbArg(c.Args[2], r)
	if !ok {
		return
	}
	if db == tx.db {
		r.Error(command.ErrSameObject)
		return
	}
	it := tx.lookup(c.Args[1])
	if it == nil || tx.existsIn(db, c.Args[1]) {
		r.Int(0)
		return
	}
	tx.delete(it)
	tx.in(db, func() { tx.replace(c.Args[1], it.value(), it.expireAt()) })
	tx.event(command.EventGeneric, "move_from", c.Args[1])
	tx.in(db, func() { tx.event(command.EventGeneric, "move_to", c.Args[1]) })
	r.Int(1)
}

func (tx *Tx) existsIn(db int, key []byte) (found bool) {
	tx.in(db, func() { found = tx.peek(key) != nil })
	return found
}

func copyKey(tx *Tx, c *command.Call, r command.Reply) {
	db, replace := tx.db, false
	for i := 3; i < len(c.Args); i++ {
		switch opt := c.Args[i]; {
		case word(opt, "replace"):
			replace = true
		case word(opt, "db") && i+1 < len(c.Args):
			var ok bool
			if db, ok = tx.dbArg(c.Args[i+1], r); !ok {
				return
			}
			i++
		default:
			r.Error(command.ErrSyntax)
			return
		}
	}
	if db == tx.db && string(c.Args[1]) == string(c.Args[2]) {
		r.Error(command.ErrSameObject)
		return
	}
	it := tx.lookup(c.Args[1])
	if it == nil {
		tx.missed(c.Args[1])
	}
	if it == nil || (!replace && tx.existsIn(db, c.Args[2])) {
		r.Int(0)
		return
	}
	tx.in(db, func() {
		tx.replace(c.Args[2], it.value().share(tx.m.gen), it.expireAt())
		tx.event(command.EventGeneric, "copy_to", c.Args[2])
	})
	r.Int(1)
}
