package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is what the head of the report says of the place where the numbers come from.
type machine struct {
	date                    time.Time
	cpu, kernel, disk, load string
	cores                   int
	fsync                   time.Duration // p50 of a 4 KiB append and fdatasync
	revision, redis, golang string
	etcd                    string // empty: not installed, or not part of the run
}

func describe(ctx context.Context, o options, root, work, disk string, t tools) (machine, error) {
	m := machine{date: time.Now(), cores: runtime.NumCPU(), disk: disk, golang: runtime.Version()}
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo") // a machine without it is named "unknown"
	m.cpu = cpuModel(string(cpuinfo))
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	m.kernel = orUnknown(strings.TrimSpace(string(release)))
	load, _ := os.ReadFile("/proc/loadavg")
	m.load, _, _ = strings.Cut(string(load), " ")
	m.load = orUnknown(m.load)
	if m.revision = "at " + o.binary; o.binary == "" { // a program that is built elsewhere may be of any revision
		m.revision = revision(ctx, root)
	}
	out, err := exec.CommandContext(ctx, t.server, "--version").Output()
	if err != nil {
		return m, fmt.Errorf("redis-server --version: %w", err)
	}
	m.redis = redisVersion(string(out))
	if o.mode == modeMatrix && t.etcd != "" {
		if out, err = exec.CommandContext(ctx, t.etcd, "--version").Output(); err != nil {
			return m, fmt.Errorf("etcd --version: %w", err)
		}
		m.etcd = etcdVersion(string(out))
	}
	m.fsync, err = fsyncLatency(ctx, work)
	return m, err
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// cpuModel finds the name of the processor in the text of /proc/cpuinfo.
func cpuModel(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return orUnknown(strings.TrimSpace(value))
		}
	}
	return "unknown"
}

// redisVersion takes the number out of what redis-server --version prints.
func redisVersion(s string) string {
	for field := range strings.FieldsSeq(s) {
		if v, ok := strings.CutPrefix(field, "v="); ok {
			return v
		}
	}
	return "unknown"
}

// etcdVersion takes the number out of what etcd --version prints.
func etcdVersion(s string) string {
	for line := range strings.Lines(s) {
		if v, ok := strings.CutPrefix(line, "etcd Version:"); ok {
			return orUnknown(strings.TrimSpace(v))
		}
	}
	return "unknown"
}

// revision names the commit under test. Nothing is written: git may otherwise refresh its index.
func revision(ctx context.Context, root string) string {
	cmd := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0")
	out, err := cmd.Output()
	if err != nil {
		return "unknown"
	}
	return orUnknown(strings.TrimSpace(string(out)))
}

const (
	fsyncBytes   = 4 << 10
	fsyncSamples = 500
	fsyncTimeMax = 3 * time.Second
)

// fsyncLatency is the median time of appending 4 KiB to a file in dir and waiting until the disk has them.
func fsyncLatency(ctx context.Context, dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	page := make([]byte, fsyncBytes)
	var took []float64
	for start := time.Now(); len(took) < fsyncSamples && time.Since(start) < fsyncTimeMax; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		begin := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if err := dataSync(f); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(begin)))
	}
	return time.Duration(median(took)), nil
}

// cpuTime is what a process has used so far, in user and kernel mode.
func cpuTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, err
	}
	return parseStat(string(text))
}

// ticksPerSecond is the unit of /proc/PID/stat: Linux shows 100 to user space on every architecture that Go runs on.
const ticksPerSecond = 100

// parseStat adds utime and stime (fields 14 and 15) of /proc/PID/stat. The name in field 2 may hold spaces and
// brackets, so that counting begins after the last closing one.
func parseStat(text string) (time.Duration, error) {
	const utime, stime = 14 - 3, 15 - 3 // field 3 is the first after the name
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) <= stime {
		return 0, fmt.Errorf("malformed /proc/PID/stat: %q", text)
	}
	var ticks uint64
	for _, i := range []int{utime, stime} {
		n, err := strconv.ParseUint(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("malformed /proc/PID/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / ticksPerSecond), nil
}

// memorySize is what a process has of the machine's memory, in bytes.
type memorySize struct{ resident, peak int64 }

func memoryOf(pid int) (memorySize, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return memorySize{}, err
	}
	return parseStatus(string(text))
}

// parseStatus reads VmRSS and VmHWM of /proc/PID/status.
func parseStatus(text string) (memorySize, error) {
	var m memorySize
	for name, to := range map[string]*int64{"VmRSS:": &m.resident, "VmHWM:": &m.peak} {
		_, rest, found := strings.Cut("\n"+text, "\n"+name)
		value, _, _ := strings.Cut(rest, "\n")
		number, unit, _ := strings.Cut(strings.TrimSpace(value), " ")
		n, err := strconv.ParseInt(number, 10, 64)
		if !found || err != nil || unit != "kB" || n < 0 || n > 1<<50 {
			return m, fmt.Errorf("malformed /proc/PID/status: %s %q", name, value)
		}
		*to = n << 10
	}
	return m, nil
}
