package storage

import (
	"errors"
	"io/fs"
	"os"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

// openBolt opens a raft-boltdb file, or makes one, after a check of its pages. A new file is made under another name and
// renamed: bbolt cannot open one whose making was cut short. witnessed: something else tells whether the last transaction
// is missing, so that a torn one may be undone.
func openBolt(path string, opts bbolt.Options, witnessed bool) (store *raftboltdb.BoltStore, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := createBolt(path, opts); err != nil {
			return nil, err
		}
	}
	if err := checkBolt(path, witnessed); err != nil {
		return nil, classify(path, err)
	}
	// What a killed process left unsynced becomes true before anybody relies on it.
	if err := syncPath(path); err != nil {
		return nil, err
	}
	opts.Timeout = boltLockTimeout
	err = contain(func() error {
		store, err = raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: &opts})
		return err
	})
	if err != nil {
		return nil, classify(path, err)
	}
	return store, nil
}

func createBolt(path string, opts bbolt.Options) error {
	tmp := path + tmpSuffix
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	store, err := raftboltdb.New(raftboltdb.Options{Path: tmp, BoltOptions: &opts})
	if err != nil {
		return err
	}
	if err := store.Close(); err != nil {
		return err
	}
	return publish(tmp, path)
}
