package main

import (
	"errors"
	"fmt"

	"github.com/redoubtdb/redoubt/internal/config"
)

// refuseUnserved stops a server whose settings ask for protection, or for a protocol, that this release does not have:
// running without it would not be what the operator asked for.
func refuseUnserved(cfg *config.Config) error {
	if users := cfg.Users(); len(users) > 0 {
		u := users[0]
		return fmt.Errorf("%s:%d: 'user' is not supported: there are no access control lists yet; requirepass is the password of all clients", u.File, u.Line)
	}
	if cfg.String("aclfile") != "" {
		return errors.New("'aclfile' is not supported: there are no access control lists yet; requirepass is the password of all clients")
	}
	if cfg.Bool("cluster-enabled") {
		return errors.New("'cluster-enabled yes' is not supported yet: clients find the leader by READONLY, ROLE and INFO")
	}
	return nil
}

// unservedWarnings name the settings that are accepted and do nothing yet.
func unservedWarnings(cfg *config.Config) (texts []string) {
	if cfg.Bytes("maxmemory") > 0 {
		texts = append(texts, "maxmemory has no effect yet: nothing is refused or evicted when it is reached")
	}
	return texts
}
