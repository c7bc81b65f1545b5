package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

// memoryMost is how many times the memory of Redis a node of ours may take for the same strings.
const memoryMost = 1.6

// dataset is one kind of data that the servers are filled with: one command a key.
type dataset struct {
	name    string
	aim     bool // memoryMost holds for it
	bytes   int  // of a command, about
	command func(dst []byte, key int) []byte
}

// Small hashes and sorted sets, as applications keep them: both within what Redis stores in its compact form.
const (
	hashFields  = 5
	hashBytes   = 10 // of a value
	zsetMembers = 10
)

func datasets(size int) []dataset {
	value := filler(size)
	hashes := fmt.Sprintf("hashes of %d fields of %d bytes", hashFields, hashBytes)
	return []dataset{
		{fmt.Sprintf("strings of %d bytes", size), true, size, func(dst []byte, key int) []byte {
			return respclient.AppendCommand(dst, "SET", keyName(key), value)
		}},
		{hashes, false, hashFields * 40, func(dst []byte, key int) []byte {
			args := []string{"HSET", keyName(key)}
			for i := range hashFields {
				args = append(args, "field"+strconv.Itoa(i), strings.Repeat("x", hashBytes))
			}
			return respclient.AppendCommand(dst, args...)
		}},
		{fmt.Sprintf("sorted sets of %d members", zsetMembers), false, zsetMembers * 40, func(dst []byte, key int) []byte {
			args := []string{"ZADD", keyName(key)}
			for i := range zsetMembers {
				args = append(args, strconv.Itoa(key+i), "member:"+strconv.Itoa(i))
			}
			return respclient.AppendCommand(dst, args...)
		}},
	}
}

// memoryResult is what one system takes for one dataset. All sizes but used are of the leader's or primary's process.
type memoryResult struct {
	id                    systemID
	empty, filled, rested memorySize
	used                  int64   // bytes: INFO's used_memory, after the rest
	followers             []int64 // resident bytes of the others, after the filling
	missing               error   // the system has no such command
}

const memoryHead = `
Resident memory (VmRSS) of one process, the leader of three nodes for ours; keys have 16 bytes. "Used" is INFO's used_memory
after the rest. Bytes a key are what is resident after the filling, less what was before, by the number of keys.

| data | system | empty MiB | filled MiB | peak MiB | rested MiB | used MiB | bytes a key | filled, to Redis | rested, to Redis | wanted | | followers, filled MiB |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|---|---|
`

// memory fills three nodes of ours and one redis-server with the same keys and compares what their processes take of
// the machine's memory: right after the filling, and after a rest in which the Go runtime may give memory back.
func (b *bench) memory(ctx context.Context) (string, error) {
	var t strings.Builder
	head(&t, "Redoubt: memory", b.m, b.o.command,
		fmt.Sprintf("%d keys; each row a fresh server; %s of rest", b.o.keys, b.o.rest))
	t.WriteString(memoryHead)
	for i, d := range datasets(b.o.sizes[0]) {
		l, err := b.launcher("memory-" + strconv.Itoa(i))
		if err != nil {
			return "", err
		}
		ours, err := b.memoryOne(ctx, d, func() (*system, error) { return l.startRedoubt(ctx, nodes) })
		if err != nil {
			return "", err
		}
		theirs, err := b.memoryOne(ctx, d, func() (*system, error) { return l.startRedis(ctx, single, 1) })
		if err != nil {
			return "", err
		}
		ours.writeRow(&t, d, b.o.keys, theirs)
		theirs.writeRow(&t, d, b.o.keys, theirs)
	}
	return t.String(), nil
}

// memoryOne starts a system, fills it, looks at its memory and stops it.
func (b *bench) memoryOne(ctx context.Context, d dataset, start func() (*system, error)) (*memoryResult, error) {
	s, err := start()
	if err != nil {
		return nil, err
	}
	defer s.stop()
	leader, err := s.leader()
	if err != nil {
		return nil, err
	}
	r := &memoryResult{id: s.id}
	if r.empty, err = memoryOf(leader.PID()); err != nil {
		return nil, err
	}
	fmt.Fprintf(b.progress, "%s: %d keys, %s ...\n", s.id, b.o.keys, d.name)
	err = b.fill(ctx, s, fill{last: b.o.keys, commandSize: d.bytes, command: d.command})
	if errors.Is(err, errReply) && strings.Contains(err.Error(), "unknown command") {
		r.missing = err
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	if leader, err = s.leader(); err != nil { // it may be another one by now
		return nil, err
	}
	return r, b.look(ctx, s, leader, r)
}

// look notes the memory after the filling and after the rest.
func (b *bench) look(ctx context.Context, s *system, leader *process, r *memoryResult) error {
	var err error
	if r.filled, err = memoryOf(leader.PID()); err != nil {
		return err
	}
	for _, p := range s.procs {
		if p == leader {
			continue
		}
		m, err := memoryOf(p.PID())
		if err != nil {
			return err
		}
		r.followers = append(r.followers, m.resident)
	}
	if _, err := sleep(ctx, max(b.o.rest, time.Nanosecond)); err != nil {
		return err
	}
	if r.rested, err = memoryOf(leader.PID()); err != nil {
		return err
	}
	info, err := ask(leader.addr, "INFO", "memory")
	if err != nil {
		return err
	}
	r.used, err = strconv.ParseInt(infoField(info.Text(), "used_memory"), 10, 64)
	return err
}

func (r *memoryResult) writeRow(t *strings.Builder, d dataset, keys int, beside *memoryResult) {
	if r.missing != nil {
		fmt.Fprintf(t, "| %s | %s |%s %s |\n", d.name, r.id, strings.Repeat(" |", 9), "no such command yet | ")
		return
	}
	perKey := float64(r.filled.resident-r.empty.resident) / float64(keys)
	fmt.Fprintf(t, "| %s | %s | %s | %s | %s | %s | %s | %s |",
		d.name, r.id, mebibytes(r.empty.resident), mebibytes(r.filled.resident), mebibytes(r.rested.peak),
		mebibytes(r.rested.resident), mebibytes(r.used), rateText(perKey))
	if r == beside {
		t.WriteString(" | | | | |\n")
		return
	}
	filled := float64(r.filled.resident) / float64(beside.filled.resident)
	rested := float64(r.rested.resident) / float64(beside.rested.resident)
	wanted, verdict := "", ""
	if d.aim {
		wanted, verdict = fmt.Sprintf("at most %.1f", memoryMost), verdictAtMost(max(filled, rested), memoryMost)
	}
	var others []string
	for _, n := range r.followers {
		others = append(others, mebibytes(n))
	}
	fmt.Fprintf(t, " %s | %s | %s | %s | %s |\n",
		ratioText(filled), ratioText(rested), wanted, verdict, strings.Join(others, ", "))
}
