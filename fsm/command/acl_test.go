package command

import (
	"strings"
	"testing"
)

func TestACL(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{Flags: Write | DenyOOM, Group: "string"}, "write string slow"},
		{Spec{Flags: ReadOnly | Fast, Group: "sorted-set"}, "read sortedset fast"},
		{Spec{Flags: Admin, Group: "server"}, "admin slow dangerous"},
		{Spec{Flags: Blocking | Write, Group: "list"}, "write list slow blocking"},
		{Spec{Flags: PubSub | Fast, Group: "pubsub"}, "pubsub fast"},
		{Spec{Group: "transactions", Flags: Fast}, "fast transaction"},
		// scripts are no reads, a container is nothing, other categories stand beside the group's or in its place
		{Spec{Flags: ReadOnly, Group: "scripting"}, "slow scripting"},
		{Spec{Group: "stream", Subcommands: []*Spec{{}}}, "slow"},
		{Spec{Flags: ReadOnly, Group: "generic", Categories: []string{"dangerous"}}, "keyspace read slow dangerous"},
		{Spec{Group: "generic", Categories: []string{"connection"}}, "slow connection"},
		{Spec{Flags: Write, Group: "generic", Categories: []string{"set", "sortedset", "list", "dangerous"}}, "write set sortedset list slow dangerous"},
	} {
		if got := strings.Join(c.spec.ACL().Names(), " "); got != c.want {
			t.Errorf("%+v: %s, want %s", c.spec, got, c.want)
		}
	}
}

func TestCategoryNames(t *testing.T) {
	for i, n := range CategoryNames() {
		if c, ok := CategoryByName(strings.ToUpper(n)); !ok || c != 1<<i || c.Names()[0] != n {
			t.Errorf("%s: %v %v", n, c, ok)
		}
	}
	if _, ok := CategoryByName("nosuch"); ok {
		t.Error("nosuch")
	}
}
