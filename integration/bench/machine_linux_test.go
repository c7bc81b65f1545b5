package main

import "testing"

func TestFileSystemName(t *testing.T) {
	for magic, want := range map[uint32]bool{tmpfsMagic: true, ramfsMagic: true, extMagic: false, xfsMagic: false, btrfsMagic: false, overlayMagic: false, zfsMagic: false, f2fsMagic: false, 0x1234: false} {
		if name, volatile := fileSystemName(magic); volatile != want || name == "" {
			t.Errorf("%#x: %q, %v", magic, name, volatile)
		}
	}
	if _, _, err := fileSystem("/does/not/exist"); err == nil {
		t.Error("a directory that is not there has a file system")
	}
}
