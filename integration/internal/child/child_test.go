package child

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestProcessEnds(t *testing.T) {
	p, err := Start("echo", filepath.Join(t.TempDir(), "echo.log"), "sh", "-c", "echo something broke")
	if err != nil {
		t.Fatal(err)
	}
	<-p.exited
	if err := p.Check(); err == nil || !strings.Contains(err.Error(), "something broke") {
		t.Errorf("error %v", err)
	}
	p.Terminate()
	p.Await()
}

func TestProcessIsKilledAndStartsAgain(t *testing.T) {
	p, err := Start("sleep", filepath.Join(t.TempDir(), "sleep.log"), "sleep", "1000")
	if err != nil {
		t.Fatal(err)
	}
	first := p.PID()
	for range 2 {
		if err := p.Check(); err != nil {
			t.Error(err)
		}
		p.Kill()
		select {
		case <-p.exited:
		case <-time.After(stopTimeout):
			t.Fatal("a killed process has not ended")
		}
		if err := p.Launch(); err != nil {
			t.Fatal(err)
		}
	}
	if p.PID() == first {
		t.Error("no new process")
	}
	p.Kill()
	p.Await()
}
