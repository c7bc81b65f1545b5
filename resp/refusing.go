package resp

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/config"
)

const (
	refusingConnsMax = 64                     // answered at a time
	refusingPatience = 500 * time.Millisecond // for a client's first request
	refusingReadMax  = 64 << 10               // bytes of it that are looked at
)

// Refusing answers every client with one error and hangs up: for a process that has no node to offer, and says why.
type Refusing struct {
	srv   *Server
	text  string
	slots chan struct{}
	wg    sync.WaitGroup
}

// Refuse listens where a server with these settings does. The error is text, which begins with a code.
func Refuse(cfg *config.Config, t *tls.Config, log *slog.Logger, text string) (*Refusing, error) {
	r := &Refusing{
		srv: &Server{cfg: cfg, tls: t, log: log}, text: text, slots: make(chan struct{}, refusingConnsMax),
	}
	if err := r.srv.Listen(); err != nil {
		return nil, err
	}
	for _, l := range r.srv.listeners {
		r.wg.Go(func() { r.accept(l) })
	}
	return r, nil
}

func (r *Refusing) accept(l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return // closed, or out of descriptors: then clients find nobody, which is as well
		}
		r.slots <- struct{}{}
		r.wg.Go(func() {
			r.answer(nc)
			<-r.slots
		})
	}
}

// answer waits for the request: a connection that is closed with bytes unread is reset, and the answer with it.
func (r *Refusing) answer(nc net.Conn) {
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(refusingPatience))
	if _, err := nc.Read(make([]byte, refusingReadMax)); err != nil {
		return
	}
	_, _ = io.WriteString(nc, "-"+r.text+"\r\n")
}

// Close stops listening and waits for the answers under way.
func (r *Refusing) Close() {
	r.srv.closeListeners()
	r.wg.Wait()
}
