package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Disk is what a node's data directory lies on.
type Disk int

// The disks. Tmpfs and XFS are small and belong to one node each. Tmpfs can be filled; XFS, on a loop device, can also
// lose its power.
const (
	Plain Disk = iota
	Tmpfs
	XFS
)

const (
	imageBytes = 1 << 30 // of an XFS image, a sparse file
	tmpfsSize  = "512m"  // two segments of the log and a few snapshots
	unmountMax = 10 * time.Second
	// fillStepMin is where filling a disk stops: less room than this takes no write of the log's.
	fillStepMin = 4 << 10
	// fillBytesMax bounds what is put on a disk that is taken for a small one.
	fillBytesMax = 4 << 30
	ballastName  = "ballast"
)

// ImageSuffix ends the names of the files in which XFS disks are.
const ImageSuffix = ".img"

// volume is a small file system of one node's own. A nil one stands for a plain directory.
type volume struct {
	kind         Disk
	mount, image string
}

func newVolume(kind Disk, mount string) (*volume, error) {
	if err := os.MkdirAll(mount, 0o700); err != nil || kind == Plain {
		return nil, err
	}
	v := &volume{kind: kind, mount: mount, image: mount + ImageSuffix}
	if kind == Tmpfs {
		return v, tool("mount", "-t", "tmpfs", "-o", "size="+tmpfsSize, "tmpfs", mount)
	}
	f, err := os.Create(v.image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(imageBytes), f.Close()); err != nil {
		return nil, err
	}
	if err := tool("mkfs.xfs", "-q", v.image); err != nil {
		return nil, err
	}
	return v, v.attach()
}

func (v *volume) attach() error { return tool("mount", "-o", "loop", v.image, v.mount) }

// detach unmounts. The kernel holds a file system for a moment after its last process has gone.
func (v *volume) detach() error {
	var last error
	err := await(context.Background(), unmountMax, "unmounted", func() bool {
		last = tool("umount", v.mount)
		return last == nil
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

// close unmounts. The image of a disk stays: it can be mounted to see what a node had.
func (v *volume) close() error {
	if v == nil {
		return nil
	}
	return v.detach()
}

// cut stops the file system at once: what was not synced is lost. The process that uses it must be ended before restore.
func (v *volume) cut() error {
	if v == nil || v.kind != XFS {
		return errors.New("only an XFS volume can lose its power")
	}
	return tool("xfs_io", "-x", "-c", "shutdown", v.mount)
}

func (v *volume) restore() error { return errors.Join(v.detach(), v.attach()) }

// fill leaves no room on the volume; free gives it back.
func (v *volume) fill() error {
	if v == nil {
		return errors.New("only a volume can be filled")
	}
	f, err := os.OpenFile(filepath.Join(v.mount, ballastName), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	at := int64(0)
	for step := int64(64 << 20); step >= fillStepMin; {
		err := allocate(f, at, step)
		switch {
		case errors.Is(err, syscall.ENOSPC):
			step /= 2
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return fmt.Errorf("fill %s: %w", v.mount, err)
		default:
			at += step
		}
		if at > fillBytesMax {
			return fmt.Errorf("fill %s: it takes more than %d bytes", v.mount, int64(fillBytesMax))
		}
	}
	return nil
}

func (v *volume) free() error {
	if v == nil {
		return nil
	}
	err := os.Remove(filepath.Join(v.mount, ballastName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
