package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

const (
	restartTimeMax = 10 * time.Minute
	restartPoll    = 5 * time.Millisecond
	restartMost    = 2 // times that of Redis, that our restart may take
)

// restartResult is what one system's restarts took.
type restartResult struct {
	id          systemID
	read, write []float64 // seconds from the start of the process to the first read, and to the first write
	disk        int64     // bytes of its data directory
	mem         memorySize
}

// restarts measures how long one node of ours and one redis-server take to come back with the same data: ours from a
// snapshot, Redis from an append-only file that has just been rewritten, which is the fastest that it can load.
func (b *bench) restarts(ctx context.Context) (string, error) {
	l, err := b.launcher("restart")
	if err != nil {
		return "", err
	}
	var results []*restartResult
	for _, start := range []func() (*system, error){
		func() (*system, error) { return l.startRedoubt(ctx, 1) },
		func() (*system, error) { return l.startRedis(ctx, single, 1) },
	} {
		s, err := start()
		if err != nil {
			return "", err
		}
		r, err := b.restart(ctx, s)
		s.stop() // before the next: only one of them works at a time
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.id, err)
		}
		results = append(results, r)
	}
	return b.restartReport(results[0], results[1]), nil
}

func (b *bench) restart(ctx context.Context, s *system) (*restartResult, error) {
	p := s.procs[0]
	fmt.Fprintf(b.progress, "%s: filling %d keys ...\n", s.id, b.o.keys)
	if err := b.fill(ctx, s, setKeys(b.o.sizes[0], 0, b.o.keys)); err != nil {
		return nil, err
	}
	if err := s.compact(ctx); err != nil {
		return nil, err
	}
	r := &restartResult{id: s.id}
	for range b.o.rounds {
		p.Terminate()
		p.Await()
		read, write, err := b.comeBack(ctx, s, p)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(b.progress, "%s: first read after %s, first write after %s\n",
			s.id, read.Round(time.Millisecond), write.Round(time.Millisecond))
		r.read, r.write = append(r.read, read.Seconds()), append(r.write, write.Seconds())
	}
	var err error
	if r.mem, err = memoryOf(p.PID()); err != nil {
		return nil, err
	}
	r.disk, err = diskUse(p.data)
	return r, err
}

// compact brings what is on the disk into the form that is loaded fastest.
func (s *system) compact(ctx context.Context) error {
	p := s.procs[0]
	if s.id == redoubt {
		return s.save(ctx, p)
	}
	// Redis rewrites a file that has grown by itself, and refuses to begin another rewrite meanwhile.
	rewrite := func() error {
		_, err := ask(p.addr, "BGREWRITEAOF")
		return err
	}
	if err := s.poll(ctx, snapshotTimeMax, savePoll, rewrite); err != nil {
		return err
	}
	return s.poll(ctx, snapshotTimeMax, savePoll, func() error {
		info, err := ask(p.addr, "INFO", "persistence")
		if err != nil {
			return err
		}
		for _, field := range []string{"aof_rewrite_in_progress", "aof_rewrite_scheduled"} {
			if infoField(info.Text(), field) != "0" {
				return fmt.Errorf("%s is still rewriting its file", p.Name)
			}
		}
		return nil
	})
}

// comeBack starts the process again and waits until it answers with all its data, and until it takes a write.
func (b *bench) comeBack(ctx context.Context, s *system, p *process) (read, write time.Duration, err error) {
	begin := time.Now()
	if err := p.Launch(); err != nil {
		return 0, 0, err
	}
	if err := s.poll(ctx, restartTimeMax, restartPoll, func() error { return b.allThere(p.addr) }); err != nil {
		return 0, 0, fmt.Errorf("first read: %w", err)
	}
	read = time.Since(begin)
	err = s.poll(ctx, restartTimeMax, restartPoll, func() error {
		_, err := ask(p.addr, "SET", settleKey, "1")
		return err
	})
	return read, time.Since(begin), err
}

// allThere checks the number of keys and the last one's value.
func (b *bench) allThere(addr string) error {
	size, err := ask(addr, "DBSIZE")
	if err != nil {
		return err
	}
	if want := int64(b.o.keys); size.Int != want && size.Int != want+1 { // settleKey may be there too
		return fmt.Errorf("%d of %d keys are there", size.Int, b.o.keys)
	}
	v, err := ask(addr, "STRLEN", keyName(b.o.keys-1))
	if err == nil && v.Int != int64(b.o.sizes[0]) {
		return fmt.Errorf("the last key has %d bytes", v.Int)
	}
	return err
}

// diskUse is the size of all files below a directory.
func diskUse(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

const restartHead = `
One node of ours, stopped by SIGTERM after a snapshot, beside one redis-server, stopped by SIGTERM after BGREWRITEAOF.
From the start of the process to the first answer that shows all data, and to the first acknowledged write (ours elects
itself first). The files are in the page cache.

| | first read s | slowest | first write s | slowest | files MiB | RSS after MiB | most RSS MiB |
|---|---:|---:|---:|---:|---:|---:|---:|
`

func (b *bench) restartReport(ours, theirs *restartResult) string {
	var t strings.Builder
	head(&t, "Redoubt: restart", b.m, b.o.command, fmt.Sprintf(
		"%d restarts, the median counts; %d keys, values of %d bytes", b.o.rounds, b.o.keys, b.o.sizes[0]))
	t.WriteString(restartHead)
	for _, r := range []*restartResult{ours, theirs} {
		fmt.Fprintf(&t, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", r.id, seconds(median(r.read)), seconds(most(r.read)),
			seconds(median(r.write)), seconds(most(r.write)), mebibytes(r.disk), mebibytes(r.mem.resident), mebibytes(r.mem.peak))
	}
	t.WriteString("\n| aim | ratio | wanted | |\n|---|---:|---|---|\n")
	for _, row := range []struct {
		name  string
		ratio float64
	}{
		{"first read beside Redis", median(ours.read) / median(theirs.read)},
		{"first write beside Redis", median(ours.write) / median(theirs.write)},
	} {
		fmt.Fprintf(&t, "| %s | %s | at most %d | %s |\n",
			row.name, ratioText(row.ratio), restartMost, verdictAtMost(row.ratio, restartMost))
	}
	return t.String()
}
