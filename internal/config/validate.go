package config

import "fmt"

// Validate checks what no single setting can tell. It is called once, after the file and the flags. The error wraps
// ErrConflict.
func (c *Config) Validate() error {
	for _, check := range []func() string{c.checkPorts, c.checkTLS, c.checkStart, c.checkSizes} {
		if why := check(); why != "" {
			return fmt.Errorf("%w: %s", ErrConflict, why)
		}
	}
	return nil
}

func (c *Config) checkPorts() string {
	port, tls := c.Int("port"), c.Int("tls-port")
	switch {
	case port == 0 && tls == 0:
		return "port and tls-port are both 0: no client could connect"
	case port == tls:
		return "port and tls-port are the same"
	case c.String("raft-addr") == "":
		return "raft-addr is empty"
	}
	return ""
}

func (c *Config) checkTLS() string {
	if c.Int("tls-port") == 0 && !c.NodeTLS() {
		return ""
	}
	if c.String("tls-cert-file") == "" || c.String("tls-key-file") == "" {
		return "TLS needs tls-cert-file and tls-key-file"
	}
	if c.String("tls-ca-cert-file") != "" {
		return ""
	}
	if c.NodeTLS() {
		return "TLS between nodes needs tls-ca-cert-file"
	}
	if c.String("tls-auth-clients") != "no" {
		return "tls-auth-clients needs tls-ca-cert-file"
	}
	return ""
}

func (c *Config) checkStart() string {
	if c.Bool("bootstrap") && len(c.Words("replicaof")) == 2 {
		return "bootstrap starts a new cluster, replicaof enters another: give one of them"
	}
	return ""
}

func (c *Config) checkSizes() string {
	batch, entry := c.Bytes("batch-entry-bytes"), c.Bytes("raft-max-entry-bytes")
	switch {
	case batch > entry:
		return fmt.Sprintf("batch-entry-bytes (%d) is more than raft-max-entry-bytes (%d)", batch, entry)
	case c.Bytes("proposal-queue-bytes") < batch:
		return fmt.Sprintf("proposal-queue-bytes is less than batch-entry-bytes (%d)", batch)
	}
	return ""
}
