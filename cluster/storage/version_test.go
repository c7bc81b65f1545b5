package storage

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// resealed is a sealed file's content under another version.
func resealed(t *testing.T, data []byte, kind string, version int) []byte {
	t.Helper()
	var body json.RawMessage
	must(t, unseal(data, kind, version, &body))
	out, err := seal(kind, version+1, body)
	must(t, err)
	return out
}

// What a newer version has written is refused under its file's name, and nothing is changed.
func TestNewerVersions(t *testing.T) {
	sealed := func(kind string, version int) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			mutate(t, path, func(b []byte) []byte { return resealed(t, b, kind, version) })
		}
	}
	for name, c := range map[string]struct {
		file  string
		raise func(t *testing.T, path string)
		want  error
	}{
		"identity":          {identityName, sealed(identityKind, identityVersion), ErrVersion},
		"table of segments": {filepath.Join(logName, walMetaName), sealed(walMetaKind, walMetaVersion), ErrVersion},
		"stable store":      {stableName, raiseStable, ErrVersion},
		"mark":              {markName, raiseMarkVersion, ErrVersion},
		"log entry":         {logName, raiseRecord, ErrDamaged}, // its version is under no sum
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(t.TempDir(), LogWAL)
			d := mustOpen(t, o)
			fill(t, d, 1, 20, 1)
			mustClose(t, d)
			path := filepath.Join(o.Path, c.file)
			c.raise(t, path)
			before := contents(t, o.Path)
			err := wantRefused(t, o, c.want)
			if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "version 2") {
				t.Errorf("file and version are not named: %v", err)
			}
			if c.want == ErrVersion && errors.Is(err, ErrDamaged) {
				t.Errorf("called damaged: %v", err)
			}
			for p, b := range contents(t, o.Path) {
				if before[p] != b && filepath.Base(p) != stableName { // bbolt notes each opening of its file
					t.Errorf("%s was changed", p)
				}
			}
		})
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, p := range files(t, dir) {
		b, err := os.ReadFile(p)
		must(t, err)
		out[p] = string(b)
	}
	return out
}

func raiseStable(t *testing.T, path string) {
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("conf"))
		return b.Put(stableKey, resealed(t, b.Get(stableKey), stableKind, stableVersion))
	}))
	must(t, db.Close())
}

func raiseMarkVersion(t *testing.T, path string) {
	mutate(t, path, func(b []byte) []byte { // one slot is enough
		b[4]++
		binary.LittleEndian.PutUint32(b[24:], crc32.Checksum(b[:24], castagnoli))
		return b
	})
}

func raiseRecord(t *testing.T, dir string) {
	names, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	must(t, err)
	mutate(t, names[0], func(b []byte) []byte {
		at := strings.Index(string(b), string(recordMagic))
		b[at+3]++
		return b
	})
}
