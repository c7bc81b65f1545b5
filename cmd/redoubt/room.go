package main

import (
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/cluster/storage"
	"github.com/redoubtdb/redoubt/internal/config"
	"github.com/redoubtdb/redoubt/resp"
)

const (
	roomPeriod = 250 * time.Millisecond // between two looks at the disk
	// roomPatience is waited in any case: where a quota is used up the file system may seem to have room.
	roomPatience = 3 * time.Second
	// roomLeast is what a node wants to start with that was told to keep no reserve: a segment of the log, and as much
	// again.
	roomLeast = 32 << 20
)

// diskReserve is the setting, for cluster.Config: 0 there means the default, and negative none.
func diskReserve(cfg *config.Config) int64 {
	if v := cfg.Bytes("disk-reserve-bytes"); v > 0 {
		return v
	}
	return -1
}

func roomWanted(cfg *config.Config) uint64 {
	return max(cluster.DiskEnough(uint64(cfg.Bytes("disk-reserve-bytes"))), roomLeast)
}

// awaitRoom is what becomes of a process whose disk is full: the node has stopped, or has not started, and its data are
// as a crash leaves them. It tells clients so, waits for room, and starts the program anew in the same process, so that
// whoever supervises it sees it running all the time. It returns at a signal to stop (nil), or with cause where it can't
// start anew.
func awaitRoom(cfg *config.Config, l *logs, signals <-chan os.Signal, cause error) error {
	dir, want := cfg.String("dir"), roomWanted(cfg)
	l.slog.Error("the disk is full: this node waits for room and then starts again by itself", "dir", dir,
		"wanted_bytes", want, "err", cause)
	closeRefusing := refuseClients(cfg, l.slog, want)
	since, tick := time.Now(), time.NewTicker(roomPeriod)
	defer tick.Stop()
	for {
		select {
		case sig := <-signals:
			closeRefusing()
			l.slog.Info("stopping", "signal", sig.String())
			return nil
		case <-tick.C:
		}
		free, err := storage.FreeBytes(dir)
		if err != nil || free < want || time.Since(since) < roomPatience {
			continue
		}
		closeRefusing()
		l.slog.Info("there is room on the disk again: starting", "free_bytes", free)
		return fmt.Errorf("%w (and it could not start again: %w)", cause, startAnew())
	}
}

// refuseClients answers clients meanwhile, if it can: without it they find nobody.
func refuseClients(cfg *config.Config, log *slog.Logger, want uint64) (end func()) {
	client, _, err := tlsSettings(cfg)
	if err != nil {
		return func() {}
	}
	text := fmt.Sprintf("MISCONF no room on disk: node %s has stopped, and starts again once there are %d MiB",
		cfg.String("node-id"), want>>20)
	r, err := resp.Refuse(cfg, client, log, text)
	if err != nil {
		log.Warn("clients are not told that the disk is full", "err", err)
		return func() {}
	}
	return r.Close
}

// startAnew replaces the program by itself, with the same arguments, in the same process. Nothing of the node that has
// failed is left, not even what hangs. It returns only if it fails.
func startAnew() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(exe, os.Args, os.Environ())
}
