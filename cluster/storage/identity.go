package storage

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	identityName    = "identity"
	identityKind    = "identity"
	identityVersion = 1
)

// Identity says whose directory it is.
type Identity struct {
	NodeID string `json:"node_id"`
	// Instance is 128 random bits in hex, made with the directory: a node that lost its directory and came back under
	// its old id has another instance.
	Instance string `json:"instance"`
	// ClusterID is empty until SetClusterID.
	ClusterID string    `json:"cluster_id,omitempty"`
	LogStore  string    `json:"log_store"`
	Created   time.Time `json:"created"`
	// HasState tells that the node has persisted a term, so that it may have voted or acknowledged. It is written after
	// that first term is durable and before raft hears so: a crash between the two finds a term without the flag, and
	// Open sets it; the flag without a term means that the term was lost.
	HasState bool `json:"has_state"`
}

// loadIdentity reads the directory's identity or makes one. The directory is locked.
func loadIdentity(o Options) (Identity, error) {
	path := filepath.Join(o.Path, identityName)
	var id Identity
	err := readSealed(path, identityKind, identityVersion, &id)
	if errors.Is(err, fs.ErrNotExist) {
		return newIdentity(path, o)
	}
	if err != nil {
		return id, err
	}
	if o.NodeID != "" && o.NodeID != id.NodeID {
		return id, fmt.Errorf("%w: %s belongs to node %q, not to %q", ErrNodeIDChanged, o.Path, id.NodeID, o.NodeID)
	}
	if o.LogStore != id.LogStore {
		return id, fmt.Errorf("%w: %s was written with %q, not with %q; to change it, %s",
			ErrLogStoreChanged, o.Path, id.LogStore, o.LogStore, rejoin)
	}
	return id, nil
}

func newIdentity(path string, o Options) (Identity, error) {
	if o.NodeID == "" {
		return Identity{}, fmt.Errorf("storage: a new directory (%s) needs a node id", o.Path)
	}
	var instance [16]byte
	if _, err := rand.Read(instance[:]); err != nil {
		return Identity{}, fmt.Errorf("storage: make an instance id: %w", err)
	}
	id := Identity{
		NodeID: o.NodeID, Instance: hex.EncodeToString(instance[:]), LogStore: o.LogStore,
		Created: time.Now().UTC().Truncate(time.Second),
	}
	return id, writeSealed(path, identityKind, identityVersion, &id)
}

// checkForeign refuses a directory that holds anything but no identity. It runs before the lock so that it leaves no
// file in a directory that is not ours.
func checkForeign(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	foreign := ""
	for _, e := range entries {
		switch name := e.Name(); name {
		case identityName:
			return nil
		case lockName, "lost+found":
		default:
			if !strings.HasPrefix(name, identityName+tmpSuffix) {
				foreign = name
			}
		}
	}
	if foreign == "" {
		return nil
	}
	return fmt.Errorf("%w: %s holds %q and no identity; name an empty directory", ErrForeign, dir, foreign)
}

// Identity returns the directory's identity as it is now.
func (d *Dir) Identity() Identity {
	d.idMu.Lock()
	defer d.idMu.Unlock()
	return d.id
}

// SetClusterID makes the cluster id durable. The same one again is no error, another is ErrClusterIDChanged.
func (d *Dir) SetClusterID(id string) error {
	if id == "" || len(id) > clusterIDBytesMax {
		return fmt.Errorf("storage: cluster id of %d bytes: want 1 to %d", len(id), clusterIDBytesMax)
	}
	return d.changeIdentity(func(v *Identity) error {
		if v.ClusterID != "" && v.ClusterID != id {
			return fmt.Errorf("%w: %s belongs to cluster %q, not to %q", ErrClusterIDChanged, d.opts.Path, v.ClusterID, id)
		}
		v.ClusterID = id
		return nil
	})
}

// markState makes the has-state flag durable.
func (d *Dir) markState() error {
	return d.changeIdentity(func(v *Identity) error {
		v.HasState = true
		return nil
	})
}

func (d *Dir) changeIdentity(change func(*Identity) error) error {
	d.idMu.Lock()
	defer d.idMu.Unlock()
	next := d.id
	if err := change(&next); err != nil {
		return err
	}
	if next == d.id {
		return nil
	}
	err := d.guard.write(opIdentity, func() error {
		return writeSealed(filepath.Join(d.opts.Path, identityName), identityKind, identityVersion, &next)
	})
	if err == nil {
		d.id = next
	}
	return err
}
