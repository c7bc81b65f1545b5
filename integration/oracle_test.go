package integration

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/internal/script"
)

var rewrite = flag.Bool("rewrite", false, "write redis-server's replies into the scripts")

const scriptDir = "../fsm/testdata/script"

// serverTarget runs scripts on a server.
type serverTarget struct{ addr string }

func (s serverTarget) Open() (script.Conn, error) { return respclient.Dial(s.addr) }

// Wait sleeps: on a server time cannot be turned.
func (serverTarget) Wait(d time.Duration) { time.Sleep(d) }

func loadScripts(t *testing.T) []*script.Script {
	t.Helper()
	scripts, err := script.Load(scriptDir)
	if err != nil {
		t.Fatal(err)
	}
	if len(scripts) == 0 {
		t.Fatal("no scripts in " + scriptDir)
	}
	return scripts
}

// TestScriptsOnRedis holds the scripts to what real Redis replies.
func TestScriptsOnRedis(t *testing.T) {
	t.Parallel()
	target := serverTarget{startRedis(t)}
	version := versionOf(t, target.addr)
	for _, s := range loadScripts(t) {
		t.Run(s.Name, func(t *testing.T) {
			if script.Newer(s.Since, version) {
				t.Skipf("of Redis %s, the server is %s", s.Since, version)
			}
			res, err := s.Run(target)
			if err != nil {
				t.Fatal(err)
			}
			if *rewrite {
				if err := os.WriteFile(filepath.Join(scriptDir, s.Name), res.Rewritten, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			for _, d := range res.Differences {
				t.Error(d)
			}
		})
	}
}

// TestScriptsOnRedoubt runs them on a server of ours. With TestScriptsOnRedis both are compared with each other too.
func TestScriptsOnRedoubt(t *testing.T) {
	t.Parallel()
	target := serverTarget{startRedoubt(t)}
	for _, s := range loadScripts(t) {
		t.Run(s.Name, func(t *testing.T) {
			for _, name := range s.Needs {
				if !knows(t, target.addr, name) {
					t.Skipf("there is no %s yet", name)
				}
			}
			res, err := s.Run(target)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range res.Differences {
				t.Error(d)
			}
		})
	}
}

// versionOf asks a redis-server for its version.
func versionOf(t *testing.T, addr string) string {
	t.Helper()
	c, err := respclient.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	v, err := c.Do("INFO", "server")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(v.Str, "redis_version:")
	version, _, ended := strings.Cut(rest, "\r\n")
	if !found || !ended {
		t.Fatalf("no version in %.200q", v.Str)
	}
	return version
}

// knows asks a server whether it has a command.
func knows(t *testing.T, addr, name string) bool {
	t.Helper()
	c, err := respclient.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	v, err := c.Do("COMMAND", "INFO", name)
	if err != nil {
		t.Fatal(err)
	}
	return len(v.Elems) == 1 && !v.Elems[0].IsNull()
}
