package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// Magic numbers of statfs(2).
const (
	tmpfsMagic   = 0x01021994
	ramfsMagic   = 0x858458f6
	extMagic     = 0xef53
	xfsMagic     = 0x58465342
	btrfsMagic   = 0x9123683e
	overlayMagic = 0x794c7630
	zfsMagic     = 0x2fc12fc1
	f2fsMagic    = 0xf2f52010
)

// fileSystem names the file system of a directory and says whether it lives in memory.
func fileSystem(dir string) (name string, volatile bool, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return "", false, err
	}
	name, volatile = fileSystemName(uint32(st.Type))
	return name, volatile, nil
}

func fileSystemName(magic uint32) (name string, volatile bool) {
	switch magic {
	case tmpfsMagic:
		return "tmpfs", true
	case ramfsMagic:
		return "ramfs", true
	case extMagic:
		return "ext4 (or ext2, ext3)", false
	case xfsMagic:
		return "xfs", false
	case btrfsMagic:
		return "btrfs", false
	case overlayMagic:
		return "overlayfs", false
	case zfsMagic:
		return "zfs", false
	case f2fsMagic:
		return "f2fs", false
	}
	return fmt.Sprintf("file system of type %#x", magic), false
}

func dataSync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// ownCPUTime is what this process has used so far, without its children.
func ownCPUTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// flushDisks waits until the kernel has written out what waits in its cache, so that one measurement does not pay for the
// files that the one before it wrote.
func flushDisks() { syscall.Sync() }
