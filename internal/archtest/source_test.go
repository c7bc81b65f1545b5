package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/redoubtdb/redoubt"
	root   = "../.."
)

// file is a parsed file of the project that is no test.
type file struct {
	dir  string // of the package, from the root of the module, with slashes
	name string
	set  *token.FileSet
	tree *ast.File
}

// position is where a node stands, for a message.
func (f *file) position(n ast.Node) string {
	p := f.set.Position(n.Pos())
	return path.Join(f.dir, f.name) + ":" + strconv.Itoa(p.Line)
}

// imports maps the name under which a package is known in the file to its path.
func (f *file) imports() map[string]string {
	out := make(map[string]string)
	for _, im := range f.tree.Imports {
		p := strings.Trim(im.Path.Value, `"`)
		name := path.Base(p)
		if im.Name != nil {
			name = im.Name.Name
		}
		out[name] = p
	}
	return out
}

func parse(t *testing.T, dir, name string, src any) *file {
	t.Helper()
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, filepath.Join(root, dir, name), src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return &file{dir: dir, name: name, set: set, tree: tree}
}

// sources parses every file below a directory of the module that is no test.
func sources(t *testing.T, below string) []*file {
	t.Helper()
	var out []*file
	err := filepath.WalkDir(filepath.Join(root, below), func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := e.Name()
		if e.IsDir() {
			if name == "testdata" || name == "data" || name == "bin" || len(name) > 2 && name[0] == '.' {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(p))
		if err != nil {
			return err
		}
		out = append(out, parse(t, filepath.ToSlash(rel), name, nil))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatalf("no source below %q", below)
	}
	return out
}
