package main

import (
	"errors"

	"github.com/redoubtdb/redoubt/internal/config"
)

// hookSettings says what a change at run time means for the settings that nothing looks at again by itself.
func hookSettings(cfg *config.Config) {
	// How values of types that this release does not have yet are stored: Redis's tools and tests set them, and there is
	// nothing to carry out.
	for _, name := range []string{
		"hash-max-listpack-entries", "hash-max-listpack-value", "zset-max-listpack-entries", "zset-max-listpack-value",
		"set-max-intset-entries", "list-max-listpack-size", "hll-sparse-max-bytes", "stream-node-max-bytes", "stream-node-max-entries",
	} {
		cfg.OnChange(name, func(_, _ string) error { return nil })
	}
	// What is read once, at the start. Accepting a change would say that it holds.
	for _, name := range []string{"appendfsync", "masterauth"} {
		cfg.OnChange(name, func(_, _ string) error { return errAtStart })
	}
}

var errAtStart = errors.New("it is read when the node starts: change the configuration file and restart the node")
