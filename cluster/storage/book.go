package storage

import (
	"errors"
	"io/fs"
	"path/filepath"
)

const (
	bookName    = "book"
	bookKind    = "book"
	bookVersion = 1
)

// LoadBook reads what SaveBook has written into v. A directory without a book leaves v as it is. ErrDamaged and
// ErrVersion name the file; a caller may go on without it.
func (d *Dir) LoadBook(v any) error {
	err := readSealed(filepath.Join(d.opts.Path, bookName), bookKind, bookVersion, v)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// SaveBook keeps the addresses of other nodes, as JSON in a sealed file that is replaced as a whole. They are a hint:
// alone of all writes one that fails does not fail the directory, and it is not watched. Callers take turns.
func (d *Dir) SaveBook(v any) error {
	if err := d.guard.err(); err != nil {
		return err
	}
	return writeSealed(filepath.Join(d.opts.Path, bookName), bookKind, bookVersion, v)
}
