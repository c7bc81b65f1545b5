package transport

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func FuzzParseHello(f *testing.F) {
	f.Add((&hello{hasSecret: true, purpose: purposeRaft, id: Identity{"c", "n", "i"}}).encode())
	f.Add((&hello{purpose: purposeCalls}).encode())
	f.Add(make([]byte, helloBytesMax))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHello(b)
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(h.encode(), b) { // the proofs need one encoding for each hello
			t.Fatalf("%x is read as %+v, which is %x", b, h, h.encode())
		}
	})
}

func FuzzAccept(f *testing.F) {
	good := appendMessage(appendPrefix(nil), msgHello, (&hello{purpose: purposeCalls}).encode())
	f.Add(good)
	f.Add(appendMessage(good, msgRefuse, []byte("\x01no")))
	f.Add(appendMessage(good, msgProof, make([]byte, proofBytes)))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := session{
			rw:     readWriter{bytes.NewReader(b), io.Discard},
			secret: []byte("s"),
			admit:  func(Identity, byte) error { t.Fatal("admitted"); return nil },
			verify: func(Identity) error { t.Fatal("verified"); return nil },
		}
		if s.accept() == nil {
			t.Fatal("accepted")
		}
	})
}

type readWriter struct {
	io.Reader
	io.Writer
}

func FuzzFrames(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, frameRequest, 1, 2, []byte("three")), frameBusy, 1, 3, nil))
	f.Add(appendFrame(nil, frameAnswer, 9, 1<<63, make([]byte, 300)))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 256
		r := newFrameReader(bytes.NewReader(b), limit)
		var again []byte
		for {
			r.ready()
			fr, err := r.next()
			if err != nil {
				if err != io.EOF && err != io.ErrUnexpectedEOF && !errors.Is(err, ErrProtocol) {
					t.Fatal(err)
				}
				if err == io.EOF && !bytes.Equal(again, b) {
					t.Fatal("bytes were lost")
				}
				return
			}
			if len(fr.payload) > limit {
				t.Fatal("oversized")
			}
			again = appendFrame(again, fr.kind, fr.method, fr.id, fr.payload)
		}
	})
}
