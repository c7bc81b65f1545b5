package main

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/config"
)

// TestMaxClientsFitsTheDescriptors: the setting is lowered at the start where it must be, and can't be raised again.
func TestMaxClientsFitsTheDescriptors(t *testing.T) {
	for _, tc := range []struct {
		descriptors uint64
		want        int64
	}{
		{1 << 40, 10_000}, {20_000, 10_000}, {10_000 + descriptorsReserved, 10_000}, {1024, 1024 - descriptorsReserved},
		{descriptorsReserved + clientsMin, clientsMin},
	} {
		cfg := config.New()
		if err := limitClients(cfg, slog.New(slog.DiscardHandler), tc.descriptors); err != nil {
			t.Fatal(err)
		}
		if got := cfg.Int("maxclients"); got != tc.want {
			t.Errorf("%d descriptors: maxclients %d, want %d", tc.descriptors, got, tc.want)
		}
	}
	cfg := config.New()
	if err := limitClients(cfg, slog.New(slog.DiscardHandler), 1024); err != nil {
		t.Fatal(err)
	}
	err := cfg.Set([][2]string{{"maxclients", "641"}}, true)
	if err == nil || !strings.Contains(err.Error(), "not able to handle the specified number of clients, try with 640") {
		t.Errorf("maxclients 641: %v", err)
	}
	if err := cfg.Set([][2]string{{"maxclients", "640"}}, true); err != nil || cfg.Int("maxclients") != 640 {
		t.Errorf("maxclients 640: %v", err)
	}
	if err := limitClients(config.New(), slog.New(slog.DiscardHandler), descriptorsReserved); err == nil {
		t.Error("a node starts without room for clients")
	}
}
