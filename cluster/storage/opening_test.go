package storage

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// paths is a log that passes on the path of each line that has one.
type paths chan string

func (paths) Enabled(context.Context, slog.Level) bool { return true }
func (p paths) WithAttrs([]slog.Attr) slog.Handler     { return p }
func (p paths) WithGroup(string) slog.Handler          { return p }

func (p paths) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "path" && r.Level == slog.LevelWarn {
			p <- a.Value.String()
		}
		return true
	})
	return nil
}

// TestOpenSaysWhatItWaitsFor hangs at a file of the directory: a pipe that nobody writes into takes the place of the disk
// that does not answer. The log names the file, or the directory it is in, again and again, and not before a whole period
// has passed.
func TestOpenSaysWhatItWaitsFor(t *testing.T) {
	for name, said := range map[string]string{
		identityName: identityName, markName: markName, filepath.Join(logName, walMetaName): logName,
	} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			o := testOptions(t.TempDir(), LogWAL)
			d := mustOpen(t, o)
			fill(t, d, 1, 3, 1)
			mustClose(t, d)
			path := filepath.Join(o.Path, name)
			must(t, os.Remove(path))
			must(t, syscall.Mkfifo(path, 0o600))

			lines, tick := make(paths, 10), make(chan time.Time)
			o.Logger, o.openTick = slog.New(lines), tick
			ended := make(chan error, 1)
			go func() {
				d, err := Open(o)
				if err == nil {
					err = d.Close()
				}
				ended <- err
			}()
			w, err := os.OpenFile(path, os.O_WRONLY, 0) // returns once Open waits at the other end
			must(t, err)
			for range 4 {
				tick <- time.Time{}
			}
			// The first tick saw the file for the first time; the fourth may still be under way.
			for range 2 {
				if got := <-lines; got != filepath.Join(o.Path, said) {
					t.Errorf("it waits for %s", got)
				}
			}
			if more := len(lines); more > 1 {
				t.Errorf("%d lines too many", more)
			}
			must(t, w.Close())
			wantIs(t, <-ended, ErrDamaged)
		})
	}
}
