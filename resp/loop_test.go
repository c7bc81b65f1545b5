package resp_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/resp"
	"github.com/redoubtdb/redoubt/resp/resptest"
)

// conversation is what one client sends: commands of all the ways that a connection can go in an event loop, on keys of its
// own, so that the answers do not depend on the other clients.
func conversation(rng *rand.Rand, client int) string {
	var b strings.Builder
	key := func() string { return fmt.Sprintf("c%d:k%d", client, rng.IntN(5)) }
	for range 100 + rng.IntN(200) {
		switch rng.IntN(16) {
		case 0, 1, 2, 3:
			fmt.Fprintf(&b, "SET %s v%d\r\n", key(), rng.IntN(1000))
		case 4, 5, 6:
			fmt.Fprintf(&b, "GET %s\r\n", key())
		case 7:
			fmt.Fprintf(&b, "APPEND %s x\r\n", key())
		case 8:
			fmt.Fprintf(&b, "PING\r\nECHO %d\r\n", rng.IntN(100))
		case 9:
			fmt.Fprintf(&b, "MULTI\r\nSET %[1]s t\r\nGET %[1]s\r\nEXEC\r\n", key())
		case 10:
			b.WriteString("NOSUCH command\r\nSET too few arguments here\r\n")
		case 11:
			fmt.Fprintf(&b, "CLIENT REPLY SKIP\r\nSET %s skipped\r\n", key())
		case 12:
			fmt.Fprintf(&b, "SETRANGE %[1]s 100000 end\r\nGET %[1]s\r\nDEL %[1]s\r\n", key())
		case 13:
			for range 50 {
				fmt.Fprintf(&b, "STRLEN %s\r\n", key())
			}
		case 14:
			fmt.Fprintf(&b, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$70000\r\n%s\r\n", len("c0:big"), fmt.Sprintf("c%d:big", client%10), strings.Repeat("y", 70000))
		default:
			fmt.Fprintf(&b, "\r\nWATCH %[1]s\r\nUNWATCH\r\nSELECT %[2]d\r\nSELECT 0\r\nTOUCH %[1]s\r\n", key(), rng.IntN(20))
		}
	}
	return b.String()
}

// talk sends a conversation in packets cut at random, closes its side, and returns all that was answered.
func talk(nc net.Conn, rng *rand.Rand, text string) (string, error) {
	if err := nc.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return "", err
	}
	sent := make(chan error, 1)
	go func() {
		for rest := text; rest != ""; {
			n := min(len(rest), 1+rng.IntN(1<<(1+rng.IntN(14))))
			if _, err := io.WriteString(nc, rest[:n]); err != nil {
				sent <- err
				return
			}
			rest = rest[n:]
		}
		sent <- nc.(*net.TCPConn).CloseWrite()
	}()
	var got bytes.Buffer
	_, err := io.Copy(&got, nc)
	if werr := <-sent; err == nil {
		err = werr
	}
	return got.String(), err
}

// TestLoopAnswersAsGoroutines: many clients at once get from event loops what each gets, alone, from a server without.
func TestLoopAnswersAsGoroutines(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	loops := resptest.Start(t)
	plain := resptest.StartWith(t, func(o *resp.Options) { o.NoEventLoops = true })
	var all sync.WaitGroup
	for client := range 10 {
		rng := rand.New(rand.NewPCG(seed, uint64(client)))
		text := conversation(rng, client)
		want, err := talk(plain.DialRaw(t), rng, text)
		if err != nil {
			t.Fatal(err)
		}
		nc := loops.DialRaw(t)
		all.Go(func() {
			got, err := talk(nc, rng, text)
			if err != nil {
				t.Errorf("client %d: %v", client, err)
				return
			}
			if got != want {
				at := 0
				for at < min(len(got), len(want)) && got[at] == want[at] {
					at++
				}
				t.Errorf("client %d: %d bytes, want %d; from byte %d on %.80q, want %.80q", client, len(got), len(want), at, got[at:], want[at:])
			}
		})
	}
	all.Wait()
}

// TestLoopClosesIdle: the setting timeout holds for connections that no goroutine waits for.
func TestLoopClosesIdle(t *testing.T) {
	s := resptest.Start(t, "timeout 1")
	nc := s.DialRaw(t)
	if err := nc.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(nc, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(nc); err != nil || string(got) != "+PONG\r\n" {
		t.Errorf("%q, %v", got, err)
	}
}
