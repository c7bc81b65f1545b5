package storage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type testBook struct {
	Nodes map[string]string `json:"nodes"`
}

// TestBook: the book comes back as it was, and a damaged one is named and stops nothing.
func TestBook(t *testing.T) {
	path := t.TempDir()
	open := func() *Dir {
		t.Helper()
		d, err := Open(Options{Path: path, NodeID: "n1", segmentBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := open()
	var got testBook
	if err := d.LoadBook(&got); err != nil || got.Nodes != nil {
		t.Errorf("no book yet: %+v, %v", got, err)
	}
	for _, addr := range []string{"a:1", "b:2"} {
		if err := d.SaveBook(testBook{map[string]string{"n2": addr}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.SaveBook(testBook{}); !errors.Is(err, ErrClosed) {
		t.Errorf("write to a closed directory: %v", err)
	}
	file := filepath.Join(path, bookName)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d = open()
	if err := d.LoadBook(&got); err != nil || got.Nodes["n2"] != "b:2" {
		t.Errorf("%+v, %v", got, err)
	}
	for i := range whole {
		bad := append([]byte(nil), whole...)
		bad[i] ^= 1
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.LoadBook(&got); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), file) {
			t.Errorf("a bit of byte %d flipped: %v", i, err)
		}
	}
	if err := os.WriteFile(file, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open() // a damaged book is no reason not to start
	defer d.Close()
	if err := d.LoadBook(&got); !errors.Is(err, ErrDamaged) {
		t.Errorf("cut in half: %v", err)
	}
	if err := d.SaveBook(testBook{map[string]string{"n2": "c:3"}}); err != nil {
		t.Error(err)
	}
	if err := d.LoadBook(&got); err != nil || got.Nodes["n2"] != "c:3" {
		t.Errorf("written anew: %+v, %v", got, err)
	}
}
