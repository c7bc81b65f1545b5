package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"syscall"

	"github.com/redoubtdb/redoubt/internal/config"
)

const (
	// descriptorsReserved are for everything but clients: the connections between nodes (transport takes 256), the files of
	// log and snapshots, listeners, and clients that are being turned away.
	descriptorsReserved = 384
	// clientsMin is the least that a node is started for.
	clientsMin = 16
)

// fitMaxClients keeps maxclients below what the process may open, as Redis does. Clients that took every descriptor would
// leave none for the log, and a node that can't write its log stops.
func fitMaxClients(cfg *config.Config, log *slog.Logger) error {
	var limit syscall.Rlimit // the hard one: Go raises the other at the start
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("RLIMIT_NOFILE: %w", err)
	}
	return limitClients(cfg, log, uint64(limit.Cur))
}

func limitClients(cfg *config.Config, log *slog.Logger, descriptors uint64) error {
	if descriptors < descriptorsReserved+clientsMin {
		return fmt.Errorf("the process may open %d files and connections (ulimit -n), and needs %d at least",
			descriptors, descriptorsReserved+clientsMin)
	}
	room := int64(min(descriptors-descriptorsReserved, 1<<31))
	if want := cfg.Int("maxclients"); want > room {
		log.Warn("maxclients is lowered to what the process may open (ulimit -n)", "configured", want, "maxclients", room, "descriptors", descriptors)
		if err := cfg.Set([][2]string{{"maxclients", strconv.FormatInt(room, 10)}}, true); err != nil {
			return fmt.Errorf("lower maxclients: %w", err)
		}
	}
	cfg.OnChange("maxclients", func(_, is string) error {
		if n, err := strconv.ParseInt(is, 10, 64); err != nil || n > room {
			return errors.New("The operating system is not able to handle the specified number of clients, try with " + strconv.FormatInt(room, 10)) //nolint:staticcheck // Redis's text
		}
		return nil
	})
	return nil
}
