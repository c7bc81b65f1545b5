package fsm

import "github.com/redoubtdb/redoubt/fsm/command"

// keyAt is one key at a fixed position of the arguments.
func keyAt(index int, f command.KeyFlags) command.KeySpec {
	return command.KeySpec{Flags: f, Index: index, Step: 1}
}

// oneKey is the commonest key specification: the first argument is the only key.
func oneKey(f command.KeyFlags) []command.KeySpec { return []command.KeySpec{keyAt(1, f)} }

// manyKeys: every step-th argument is a key.
func manyKeys(step int, f command.KeyFlags) []command.KeySpec {
	return []command.KeySpec{{Flags: f, Index: 1, Last: -1, Step: step}}
}

// Tips that several commands carry.
var (
	tipsSum       = []string{"request_policy:multi_shard", "response_policy:agg_sum"}
	tipsFlush     = []string{"request_policy:all_shards", "response_policy:all_succeeded"}
	tipsUnordered = []string{"nondeterministic_output_order"}
	tipsVaries    = []string{"nondeterministic_output"}
	tipsAllVaries = []string{"request_policy:all_shards", "nondeterministic_output"}
)

// deprecated marks a command as one that another has replaced.
func deprecated(c cmd, since, by string) cmd {
	c.Deprecated, c.ReplacedBy = since, by
	return c
}
