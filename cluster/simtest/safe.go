package simtest

import (
	"slices"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// What a disk has synced survives every crash, and nothing else does. Two rules follow, which a leader that sends entries
// while its own disk still writes them (cluster/parallellog.go) could break and a run might yet go well by luck:
//
//   - An entry is applied anywhere, and so acknowledged, only once a majority of the voters has synced it. Disks only
//     gain, so that it is enough to look before each change of any disk, and at each acknowledgement.
//   - A node that says in an answer that its log has an entry has synced it.

// synced: a disk has synced entries.
func (l *ledger) synced(instance string, entries []*raft.Log) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		at := place{e.Index, e.Term}
		if st := l.stands[at]; !slices.Contains(st.synced, instance) {
			st.synced = append(st.synced, instance)
			l.stands[at] = st
		}
	}
}

// wasSynced reports whether a disk has synced the entry at a place, though it may have been truncated since.
func (l *ledger) wasSynced(instance string, at place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.stands[at].synced, instance)
}

// answered looks at what this node's raft says to a leader.
func (e *endpoint) answered(cmd, response any) {
	var at place
	switch req := cmd.(type) {
	case *raft.AppendEntriesRequest:
		if resp, _ := response.(*raft.AppendEntriesResponse); resp == nil || !resp.Success {
			return
		}
		at = place{req.PrevLogEntry, req.PrevLogTerm}
		if n := len(req.Entries); n > 0 {
			at = place{req.Entries[n-1].Index, req.Entries[n-1].Term}
		}
	case *raft.InstallSnapshotRequest:
		if resp, _ := response.(*raft.InstallSnapshotResponse); resp == nil || !resp.Success {
			return
		}
		at = place{req.LastLogIndex, req.LastLogTerm}
	default:
		return
	}
	if at.index == 0 {
		return
	}
	e.ledger.count(func(c *Counts) { c.Answers++ })
	if !e.ledger.wasSynced(e.disk.instance, at) && !e.disk.covers(at.index) {
		e.ledger.note("%s says that it has the entry at index %d of term %d, which its disk has not synced", e.id, at.index, at.term)
	}
}

// covers reports whether a disk has a snapshot with an entry. A lazy disk says that it has everything.
func (d *Disk) covers(index uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.coversLocked(index)
}

func (d *Disk) coversLocked(index uint64) bool {
	n := len(d.snapshots)
	return d.lazy || n > 0 && d.snapshots[n-1].meta.Index >= index
}

// holds reports whether an entry is safe on a disk. Term 0 is any.
func (d *Disk) holds(at place) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.log.synced.get(at.index); e != nil && (at.term == 0 || e.Term == at.term) {
		return true
	}
	return d.coversLocked(at.index)
}

// acknowledged looks at the end of a client's write, at the moment when it is told.
func (p *process) acknowledged(w *command.Proposal) {
	if w.Outcome == command.Applied {
		p.m.sim.checkSafe(p, w.Index)
	}
}

// checkApplied looks at what the running processes have applied.
func (s *Sim) checkApplied() {
	for _, m := range s.Members() {
		if p := m.process(); p != nil {
			s.checkSafe(p, p.node.Machine().Index())
		}
	}
}

// checkSafe notes a violation if a process has applied an entry that is not safe. Once it was found to be it stays so, and
// so do all before it.
func (s *Sim) checkSafe(p *process, index uint64) {
	l := p.disk.ledger
	l.mu.Lock()
	known := index <= l.safeTo
	l.mu.Unlock()
	if known || l != s.ledger || p.killed() { // what a dead process does counts for nothing
		return
	}
	have := s.safeOn(p, index)
	if have != nil && p.killed() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if index <= l.safeTo {
		return
	}
	l.safeTo = index
	l.counts.Safe++
	if have != nil {
		l.note("%s has applied index %d, which only %v have synced: no majority in any of %v", p.m.ID, index, have, s.configurations(p))
	}
}

// safeOn returns nil if a majority has synced what a process has at an index, and else who has. An entry is committed by
// the configuration that is the leader's last at that time: the last one up to it, or the next, since there is no third
// before the next is committed.
func (s *Sim) safeOn(p *process, index uint64) []string {
	at := place{index: index}
	var l raft.Log
	if p.disk.Log().GetLog(index, &l) == nil {
		at.term = l.Term
	}
	have := []string{}
	for _, m := range s.Members() {
		if m.Disk().holds(at) {
			have = append(have, m.ID)
		}
	}
	for _, voters := range s.configurations(p) {
		n := 0
		for _, id := range voters {
			if slices.Contains(have, id) {
				n++
			}
		}
		if n > len(voters)/2 {
			return nil
		}
	}
	return have
}

// configurations are the voters of the last two configurations in a process's log, and of newer ones elsewhere.
func (s *Sim) configurations(p *process) [][]string {
	own := p.disk.configurations()
	var out [][]string
	for _, c := range own {
		out = append(out, c.voters)
	}
	for _, m := range s.Members() {
		for _, c := range m.Disk().configurations() {
			if len(own) > 0 && c.index > own[0].index {
				out = append(out, c.voters)
			}
		}
	}
	return out
}

// conf is a configuration, and where in the log it stands.
type conf struct {
	index  uint64
	voters []string
}

// configurations are the last two on the disk, the last one first.
func (d *Disk) configurations() []conf {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []conf
	for _, e := range slices.Backward(d.log.entries) {
		if e.Type == raft.LogConfiguration {
			out = append(out, conf{e.Index, voters(raft.DecodeConfiguration(e.Data))})
		}
		if len(out) == 2 {
			return out
		}
	}
	for _, sn := range slices.Backward(d.snapshots) {
		if c := (conf{sn.meta.ConfigurationIndex, voters(sn.meta.Configuration)}); len(out) == 0 || c.index < out[len(out)-1].index {
			out = append(out, c)
		}
	}
	return out[:min(2, len(out))]
}

func voters(c raft.Configuration) []string {
	var out []string
	for _, sv := range c.Servers {
		if sv.Suffrage == raft.Voter {
			out = append(out, string(sv.ID))
		}
	}
	return out
}
