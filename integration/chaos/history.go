package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

const (
	historySuffix = ".history.gz"
	// historyBytesMax is how much of one workload's history is kept, before it is compressed to a tenth or so.
	historyBytesMax = 1 << 30
)

// history writes down all that the clients of one workload send and receive, as it passes over their connections: a line
// has the time of the run in seconds, the number of the connection, < for what came, > for what went, and the bytes.
type history struct {
	started time.Time

	mu    sync.Mutex // guards what follows
	file  *os.File
	zip   *gzip.Writer
	line  []byte
	bytes int
	conns int
	err   error // the first one; nothing is written after it
}

func newHistory(dir, workload string, started time.Time) (*history, error) {
	f, err := os.Create(filepath.Join(dir, workload+historySuffix))
	if err != nil {
		return nil, err
	}
	zip, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &history{started: started, file: f, zip: zip}, nil
}

// dial connects to a node.
func (h *history) dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.conns++
	c := &recorded{Conn: nc, h: h, number: h.conns}
	h.mu.Unlock()
	c.h.note(c.number, "to", []byte(addr))
	return c, nil
}

func (h *history) note(conn int, what string, b []byte) {
	at := time.Since(h.started)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil || h.bytes >= historyBytesMax {
		return
	}
	h.line = strconv.AppendFloat(h.line[:0], at.Seconds(), 'f', 6, 64)
	h.line = append(h.line, " #"...)
	h.line = strconv.AppendInt(h.line, int64(conn), 10)
	h.line = append(append(append(h.line, ' '), what...), ' ')
	h.line = append(strconv.AppendQuote(h.line, string(b)), '\n')
	_, h.err = h.zip.Write(h.line)
	h.bytes += len(h.line)
}

// close ends the file. It is an error if the history is not whole.
func (h *history) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil && h.bytes >= historyBytesMax {
		h.err = fmt.Errorf("%s ends after %d bytes", h.file.Name(), h.bytes)
	}
	return errors.Join(h.err, h.zip.Close(), h.file.Close())
}

// recorded is a connection whose bytes are written down.
type recorded struct {
	net.Conn
	h      *history
	number int
}

func (c *recorded) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.h.note(c.number, "<", b[:n])
	}
	if err != nil {
		c.h.note(c.number, "end", []byte(err.Error()))
	}
	return n, err
}

func (c *recorded) Write(b []byte) (int, error) {
	c.h.note(c.number, ">", b) // before an answer can come
	return c.Conn.Write(b)
}
