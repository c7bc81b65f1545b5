package resp

import (
	"strings"
	"testing"
)

func benchmarkReader(b *testing.B, unit string) {
	r := newAuthed(&pages{page: []byte(strings.Repeat(unit, 1+(64<<10)/len(unit)))}, nil)
	b.SetBytes(int64(len(unit)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mcmd/s")
}

// pages is a source without end that costs as little as a copy.
type pages struct {
	page []byte
	off  int
}

func (s *pages) Read(p []byte) (int, error) {
	n := copy(p, s.page[s.off:])
	s.off = (s.off + n) % len(s.page)
	return n, nil
}

func BenchmarkReaderPing(b *testing.B) { benchmarkReader(b, "*1\r\n$4\r\nPING\r\n") }

func BenchmarkReaderGet(b *testing.B) {
	benchmarkReader(b, "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000001\r\n")
}

func BenchmarkReaderSet(b *testing.B) {
	benchmarkReader(b, "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000001\r\n$32\r\n"+strings.Repeat("v", 32)+"\r\n")
}

func BenchmarkReaderInline(b *testing.B) { benchmarkReader(b, "SET key:000000000001 value\r\n") }

func BenchmarkReaderBulk100KiB(b *testing.B) {
	benchmarkReader(b, string(encode([]string{"SET", "k", strings.Repeat("v", 100<<10)})))
}

func BenchmarkReaderMGet1000(b *testing.B) {
	benchmarkReader(b, string(encode(strings.Split("MGET"+strings.Repeat(" key:1", 1000), " "))))
}

func BenchmarkWriter(b *testing.B) {
	value := []byte(strings.Repeat("v", 32))
	for name, write := range map[string]func(w *Writer){
		"simple": func(w *Writer) { w.Simple("OK") },
		"bulk":   func(w *Writer) { w.Bulk(value) },
		"int":    func(w *Writer) { w.Int(123456) },
		"double": func(w *Writer) { w.Double(3.14) },
		"error":  func(w *Writer) { w.Error("ERR syntax error") },
	} {
		b.Run(name, func(b *testing.B) {
			w := NewWriter()
			b.ReportAllocs()
			for b.Loop() {
				write(w)
				if w.Len() > 8<<10 {
					w.Reset()
				}
			}
		})
	}
}
