package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/integration/internal/child"
)

func TestParseEtcd(t *testing.T) {
	s, err := parseEtcd([]byte(`{"requests":500,"wall_ns":250000000,"p50_ns":1000,"p99_ns":2000,"p999_ns":3000,"cpu_ns":4000}`))
	want := sample{ops: 500, rate: 2000, wall: 250 * time.Millisecond, p50: 1000, p99: 2000, p999: 3000, loadCPU: 4000}
	if err != nil || fmt.Sprint(s) != fmt.Sprint(want) {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []string{"", "{}", "[]", `{"requests":1}`, `{"requests":-1,"wall_ns":1}`} {
		if _, err := parseEtcd([]byte(bad)); !errors.Is(err, errOutput) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseEtcd(f *testing.F) {
	f.Add([]byte(`{"requests":500,"wall_ns":250000000}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := parseEtcd(text); err == nil && !(s.rate > 0) {
			t.Errorf("rate %v", s.rate)
		}
	})
}

func TestEtcdVersion(t *testing.T) {
	if got := etcdVersion("etcd Version: 3.4.23\nGit SHA: x\n"); got != "3.4.23" {
		t.Errorf("version %q", got)
	}
	if got := etcdVersion("something"); got != "unknown" {
		t.Errorf("version %q", got)
	}
}

// member is an etcd member that only tells its status. It answers with the texts in turn, the last one again and again.
func member(t *testing.T, texts ...string) *process {
	next := make(chan string, len(texts))
	for _, s := range texts {
		next <- s
	}
	last := texts[len(texts)-1]
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v3/maintenance/status" || r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		select {
		case s := <-next:
			fmt.Fprint(w, s)
		default:
			fmt.Fprint(w, last)
		}
	}))
	t.Cleanup(srv.Close)
	return &process{addr: strings.TrimPrefix(srv.URL, "http://"), Process: &child.Process{Name: "member"}}
}

func status(id, leader, index, applied string) string {
	return fmt.Sprintf(`{"header":{"member_id":%q},"leader":%q,"raftIndex":%q,"raftAppliedIndex":%q}`, id, leader, index, applied)
}

func TestEtcdLeaderAndSettle(t *testing.T) {
	leader := member(t, status("7", "7", "90", "90"))
	behind := status("5", "7", "80", "80") // asked twice for the leader, then for what it has applied
	follower := member(t, behind, behind, behind, status("5", "7", "85", "85"), status("5", "7", "90", "90"))
	s := &system{id: etcd, procs: []*process{follower, leader}}
	if got, err := s.leader(); err != nil || got != leader {
		t.Errorf("leader %v, %v", got, err)
	}
	if err := s.settle(); err != nil {
		t.Error(err)
	}
	if st, err := askEtcd(follower.addr); err != nil || st.Applied != "90" {
		t.Errorf("settled although the follower was not asked again: %+v, %v", st, err)
	}
	none := &system{id: etcd, procs: []*process{member(t, status("5", "0", "1", "1")), member(t, "{}"), member(t, "no json")}}
	if _, err := none.leader(); err == nil {
		t.Error("a leader among members without one")
	}
}
