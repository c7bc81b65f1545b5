package command

import "strings"

// Categories are the ACL categories of Redis 7.0 that a command belongs to.
type Categories uint32

// The categories in the order in which ACL CAT and COMMAND INFO list them.
const (
	CatKeyspace Categories = 1 << iota
	CatRead
	CatWrite
	CatSet
	CatSortedSet
	CatList
	CatHash
	CatString
	CatBitmap
	CatHyperLogLog
	CatGeo
	CatStream
	CatPubSub
	CatAdmin
	CatFast
	CatSlow
	CatBlocking
	CatDangerous
	CatConnection
	CatTransaction
	CatScripting
)

var categoryNames = []string{
	"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo", "stream",
	"pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting",
}

// Names lists the categories without the "@".
func (c Categories) Names() []string { return bitNames(uint64(c), categoryNames) }

// CategoryNames lists all categories.
func CategoryNames() []string { return append([]string(nil), categoryNames...) }

// CategoryByName finds a category by its name without the "@", in any case.
func CategoryByName(name string) (Categories, bool) {
	for i, n := range categoryNames {
		if strings.EqualFold(n, name) {
			return 1 << i, true
		}
	}
	return 0, false
}

// groupCategories are what a command belongs to by its group. The groups that are missing have none.
var groupCategories = map[string]Categories{
	"generic": CatKeyspace, "string": CatString, "list": CatList, "set": CatSet, "sorted-set": CatSortedSet, "hash": CatHash,
	"bitmap": CatBitmap, "hyperloglog": CatHyperLogLog, "geo": CatGeo, "stream": CatStream, "connection": CatConnection,
	"transactions": CatTransaction, "scripting": CatScripting,
}

// flagCategories are what follows from a flag.
var flagCategories = []struct {
	flag Flags
	cats Categories
}{
	{Write, CatWrite}, {ReadOnly, CatRead}, {Admin, CatAdmin | CatDangerous}, {PubSub, CatPubSub}, {Blocking, CatBlocking},
}

// notOfGroup are the categories that may stand in Spec.Categories beside the group's; any other takes its place.
const notOfGroup = CatRead | CatWrite | CatAdmin | CatDangerous | CatPubSub | CatBlocking | CatFast | CatSlow

// ACL derives the categories by the rules of Redis 7.0: flags say what a command does, its group what it works on. A
// container by itself is nothing but slow, and a command that runs scripts is not a read whatever its flags.
func (s *Spec) ACL() Categories {
	speed := CatSlow
	if s.Is(Fast) {
		speed = CatFast
	}
	own := s.ownCategories()
	out := speed | own
	for _, fc := range flagCategories {
		if s.Is(fc.flag) {
			out |= fc.cats
		}
	}
	if s.Group == "scripting" {
		out &^= CatRead
	}
	if len(s.Subcommands) == 0 && own&^notOfGroup == 0 {
		out |= groupCategories[s.Group]
	}
	return out
}

// ownCategories are those that Spec.Categories names. A name that is none is a programming error: it panics.
func (s *Spec) ownCategories() Categories {
	var out Categories
	for _, n := range s.Categories {
		c, ok := CategoryByName(n)
		if !ok {
			panic("command: " + s.Name + ": no ACL category is called " + n)
		}
		out |= c
	}
	return out
}
