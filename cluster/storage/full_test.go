package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"
)

// smallDisk mounts a file system of so many KiB. It takes root on Linux.
func smallDisk(t *testing.T, kib int) string {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("mounting a small file system takes root on Linux")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dk", kib), "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("no small file system can be mounted here: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	return dir
}

// ballast takes up all room but so many KiB.
func ballast(t *testing.T, disk string, leaveKiB uint64) string {
	t.Helper()
	path := filepath.Join(disk, "ballast")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	free, err := FreeBytes(disk)
	must(t, err)
	if free > leaveKiB<<10 {
		must(t, syscall.Fallocate(int(f.Fd()), 0, 0, int64(free-leaveKiB<<10)))
	}
	return path
}

// Wherever a write meets the end of the room, the directory fails with that error, and what had been stored before it is
// all there once there is room; the directory goes on then.
func TestFullDisk(t *testing.T) {
	forKinds(t, func(t *testing.T, kind string) {
		disk := smallDisk(t, 8<<10)
		for leave := uint64(0); leave <= 256; leave += 12 {
			o := testOptions(filepath.Join(disk, "data"), kind)
			d := mustOpen(t, o)
			fill(t, d, 1, 20, 1)
			room := ballast(t, disk, leave)
			last, err := uint64(20), error(nil)
			for err == nil && last < 1000 {
				if err = d.Log().StoreLog(entry(last+1, 1)); err == nil {
					last++
				}
			}
			wantIs(t, err, ErrFailed)
			wantIs(t, err, syscall.ENOSPC)
			if !DiskFull(d.Err()) {
				t.Fatalf("the directory's failure is %v", d.Err())
			}
			mustClose(t, d)
			must(t, os.Remove(room))

			d = mustOpen(t, o)
			first, err := d.Log().FirstIndex()
			must(t, err)
			end, err := d.Log().LastIndex()
			must(t, err)
			if first != 1 || end < last || end > last+1 {
				t.Fatalf("with %d KiB left: log from %d to %d, want to %d", leave, first, end, last)
			}
			fill(t, d, end+1, end+90, 1)
			wantEntries(t, d, 1, end+90, 1)
			mustClose(t, d)
			must(t, os.RemoveAll(o.Path))
		}
	})
}

// A snapshot for which there is no room is given up: nothing of it is left, the ones before stay, and the directory goes
// on.
func TestSnapshotWithoutRoom(t *testing.T) {
	disk := smallDisk(t, 4<<10)
	o := testOptions(filepath.Join(disk, "data"), LogWAL)
	d := mustOpen(t, o)
	fill(t, d, 1, 20, 1)
	old := snapshot(t, d, 5, 1, []byte("before"))
	for name, c := range map[string]struct {
		leaveKiB, keep uint64
		want           error
	}{
		"disk full":       {100, 0, syscall.ENOSPC},
		"disk quite full": {0, 0, syscall.ENOSPC},
		"room kept":       {1 << 10, 900 << 10, ErrNoRoom},
	} {
		t.Run(name, func(t *testing.T) {
			room := ballast(t, disk, c.leaveKiB)
			d.snaps.floor = c.keep
			before := len(files(t, o.Path))
			k, err := d.Snapshots().Create(1, 15, 1, testConf, 1, nil)
			if err == nil {
				_, err = k.Write(bytes.Repeat([]byte("state"), 200_000))
				err = errors.Join(err, k.Close())
			}
			wantIs(t, err, c.want)
			must(t, d.Err())
			must(t, os.Remove(room))
			d.snaps.floor = 0
			if got := files(t, o.Path); len(got) != before {
				t.Errorf("something is left: %v", got)
			}
			if left, err := os.ReadDir(filepath.Join(o.Path, snapshotsName)); err != nil || len(left) != 1 || left[0].Name() != old {
				t.Errorf("snapshots %v, %v", left, err)
			}
		})
	}
	must(t, d.Log().StoreLogs([]*raft.Log{entry(21, 1)}))
	snapshot(t, d, 21, 1, []byte("after"))
	must(t, d.Err())
}

func TestFreeBytes(t *testing.T) {
	dir := t.TempDir()
	there, err := FreeBytes(dir)
	must(t, err)
	if _, err := FreeBytes(filepath.Join(dir, "not", "yet")); err != nil || there == 0 {
		t.Fatalf("%d bytes, and below: %v", there, err)
	}
}
