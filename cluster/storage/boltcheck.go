package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// bbolt checks nothing but its two meta pages, falls back to the older one without a word (and so undoes the last
// transaction), and trusts every page beneath: a flipped bit makes it read outside its memory map or recurse for ever,
// neither of which a recover stops, or hand a page in use out as free. So the pages are walked before bbolt sees them:
// both metas whole, every page inside the file, used once, of the kind its parent expects, its elements inside it, and
// none in the free list. Contents are checked by the sums of the records themselves.
//
// One meta page may be bad where the file is witnessed: the mark tells whether the last transaction of a log was
// acknowledged. Nothing tells that of a term or a vote, so the stable store wants both.
const (
	boltMagic        = 0xED0CDAED
	boltVersion      = 2
	boltPageHead     = 16 // id 8, flags 2, count 2, overflow 4
	boltElementBytes = 16 // branch: pos 4, ksize 4, pgid 8; leaf: flags 4, pos 4, ksize 4, vsize 4
	boltBucketHead   = 16 // root 8, sequence 8
	boltMetaBytes    = 64 // magic 4, version 4, pageSize 4, flags 4, bucket 16, freelist 8, pgid 8, txid 8, sum 8

	boltBranch   = 0x01
	boltLeaf     = 0x02
	boltMeta     = 0x04
	boltFreelist = 0x10
	boltBucket   = 0x01 // flag of a leaf element
	boltNoList   = ^uint64(0)

	boltPageBytesMin = 1 << 10
	boltPageBytesMax = 64 << 10
)

type boltWalk struct {
	r        io.ReaderAt
	pageSize int64
	pages    uint64   // high-water mark: ids are below it
	seen     []uint64 // a bit a page
	todo     []uint64
}

type boltMetaPage struct {
	pageSize             uint32
	root, freelist, pgid uint64
	txid                 uint64
}

// checkBolt walks the pages of a bbolt file that nobody has open.
func checkBolt(path string, witnessed bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return checkBoltPages(f, st.Size(), witnessed)
}

func checkBoltPages(r io.ReaderAt, size int64, witnessed bool) error {
	m, err := newestBoltMeta(r, witnessed)
	if err != nil {
		return err
	}
	w := &boltWalk{r: r, pageSize: int64(m.pageSize), pages: m.pgid}
	if m.pgid < 2 || m.pgid > uint64(size)/uint64(w.pageSize) {
		return fmt.Errorf("file of %d bytes is too short for %d pages", size, m.pgid)
	}
	w.seen = make([]uint64, m.pgid/64+1)
	w.seen[0] = 3 // the metas
	w.todo = append(w.todo, m.root)
	for len(w.todo) > 0 {
		id := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		if err := w.tree(id); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
	}
	if m.freelist == boltNoList {
		return nil
	}
	if err := w.freelist(m.freelist); err != nil {
		return fmt.Errorf("free list, page %d: %w", m.freelist, err)
	}
	return nil
}

var errBoltMetaSum = errors.New("checksum does not match")

// newestBoltMeta returns the meta that bbolt will go by.
func newestBoltMeta(r io.ReaderAt, witnessed bool) (boltMetaPage, error) {
	m0, err0 := readBoltMeta(r, 0, 0)
	pageSize := int64(m0.pageSize)
	if err0 != nil {
		pageSize = int64(os.Getpagesize()) // as bbolt has it
	}
	m1, err1 := readBoltMeta(r, 1, pageSize)
	torn0, torn1 := witnessed && errors.Is(err0, errBoltMetaSum), witnessed && errors.Is(err1, errBoltMetaSum)
	switch {
	case err0 != nil && (!torn0 || err1 != nil):
		return m0, err0
	case err1 != nil && !torn1:
		return m1, err1
	case torn0:
		return m1, nil
	case torn1:
		return m0, nil
	case m1.pageSize != m0.pageSize:
		return m0, errors.New("meta pages disagree on the page size")
	case m1.txid > m0.txid:
		return m1, nil
	}
	return m0, nil
}

func readBoltMeta(r io.ReaderAt, id uint64, at int64) (boltMetaPage, error) {
	var b [boltPageHead + boltMetaBytes]byte
	if _, err := r.ReadAt(b[:], at); err != nil {
		return boltMetaPage{}, fmt.Errorf("meta page %d: %w", id, err)
	}
	ne, p := binary.NativeEndian, b[boltPageHead:]
	sum := fnv.New64a()
	_, _ = sum.Write(p[:boltMetaBytes-8])
	m := boltMetaPage{
		pageSize: ne.Uint32(p[8:]), root: ne.Uint64(p[16:]), freelist: ne.Uint64(p[32:]), pgid: ne.Uint64(p[40:]),
		txid: ne.Uint64(p[48:]),
	}
	switch {
	case ne.Uint64(b[:]) != id || ne.Uint16(b[8:])&boltMeta == 0:
		return m, fmt.Errorf("meta page %d: wrong page header", id)
	case ne.Uint32(p) != boltMagic || ne.Uint32(p[4:]) != boltVersion || ne.Uint64(p[boltMetaBytes-8:]) != sum.Sum64():
		return m, fmt.Errorf("meta page %d: %w", id, errBoltMetaSum)
	case m.pageSize < boltPageBytesMin || m.pageSize > boltPageBytesMax || m.pageSize&(m.pageSize-1) != 0:
		return m, fmt.Errorf("meta page %d: page size %d", id, m.pageSize)
	}
	return m, nil
}

// claim marks a page as in use, once.
func (w *boltWalk) claim(id uint64) error {
	if id >= w.pages {
		return fmt.Errorf("id %d beyond the last page", id)
	}
	if w.seen[id/64]&(1<<(id%64)) != 0 {
		return fmt.Errorf("page %d is used twice", id)
	}
	w.seen[id/64] |= 1 << (id % 64)
	return nil
}

// head reads a page's header, claims it with its overflow and returns its flags, count and length in bytes.
func (w *boltWalk) head(id uint64) (flags uint16, count int, length int64, err error) {
	if err := w.claim(id); err != nil {
		return 0, 0, 0, err
	}
	var h [boltPageHead]byte
	if _, err := w.r.ReadAt(h[:], int64(id)*w.pageSize); err != nil {
		return 0, 0, 0, err
	}
	ne := binary.NativeEndian
	if got := ne.Uint64(h[:]); got != id {
		return 0, 0, 0, fmt.Errorf("calls itself %d", got)
	}
	overflow := uint64(ne.Uint32(h[12:]))
	for i := uint64(1); i <= overflow; i++ {
		if err := w.claim(id + i); err != nil {
			return 0, 0, 0, err
		}
	}
	return ne.Uint16(h[8:]), int(ne.Uint16(h[10:])), int64(overflow+1) * w.pageSize, nil
}

// tree checks one page of a bucket and puts those beneath it on the list.
func (w *boltWalk) tree(id uint64) error {
	flags, count, length, err := w.head(id)
	if err != nil {
		return err
	}
	at := int64(id) * w.pageSize
	if flags != boltBranch && flags != boltLeaf {
		return fmt.Errorf("flags %#x: neither branch nor leaf", flags)
	}
	elements, err := w.elements(at, count, length)
	if err != nil {
		return err
	}
	if flags == boltLeaf {
		return w.leaf(at, elements, length)
	}
	if count == 0 {
		return errors.New("branch without elements")
	}
	ne := binary.NativeEndian
	for i := range count {
		e := elements[i*boltElementBytes:]
		pos := int64(boltPageHead + i*boltElementBytes)
		if pos+int64(ne.Uint32(e))+int64(ne.Uint32(e[4:])) > length {
			return fmt.Errorf("element %d reaches beyond the page", i)
		}
		w.todo = append(w.todo, ne.Uint64(e[8:]))
	}
	return nil
}

func (w *boltWalk) elements(at int64, count int, length int64) ([]byte, error) {
	n := int64(count) * boltElementBytes
	if boltPageHead+n > length {
		return nil, fmt.Errorf("%d elements do not fit", count)
	}
	b := make([]byte, n)
	_, err := w.r.ReadAt(b, at+boltPageHead)
	return b, err
}

func (w *boltWalk) leaf(at int64, elements []byte, length int64) error {
	ne := binary.NativeEndian
	for i := 0; i < len(elements)/boltElementBytes; i++ {
		e := elements[i*boltElementBytes:]
		flags, ksize, vsize := ne.Uint32(e), int64(ne.Uint32(e[8:])), int64(ne.Uint32(e[12:]))
		key := int64(boltPageHead+i*boltElementBytes) + int64(ne.Uint32(e[4:]))
		if key+ksize+vsize > length {
			return fmt.Errorf("element %d reaches beyond the page", i)
		}
		if flags&^boltBucket != 0 {
			return fmt.Errorf("element %d: flags %#x", i, flags)
		}
		if flags&boltBucket != 0 {
			if err := w.bucket(at+key+ksize, vsize); err != nil {
				return fmt.Errorf("bucket in element %d: %w", i, err)
			}
		}
	}
	return nil
}

// bucket checks a bucket's value: a root page elsewhere, or a leaf of its own inside the value.
func (w *boltWalk) bucket(at, vsize int64) error {
	var b [boltBucketHead + boltPageHead]byte
	if vsize < boltBucketHead {
		return errors.New("value is too short")
	}
	if _, err := w.r.ReadAt(b[:boltBucketHead], at); err != nil {
		return err
	}
	ne := binary.NativeEndian
	if root := ne.Uint64(b[:]); root != 0 {
		w.todo = append(w.todo, root)
		return nil
	}
	if vsize < int64(len(b)) {
		return errors.New("inline page is too short")
	}
	if _, err := w.r.ReadAt(b[boltBucketHead:], at+boltBucketHead); err != nil {
		return err
	}
	if flags := ne.Uint16(b[boltBucketHead+8:]); flags != boltLeaf {
		return fmt.Errorf("inline page with flags %#x", flags)
	}
	length := vsize - boltBucketHead
	elements, err := w.elements(at+boltBucketHead, int(ne.Uint16(b[boltBucketHead+10:])), length)
	if err != nil {
		return err
	}
	for i := 0; i < len(elements); i += boltElementBytes {
		if ne.Uint32(elements[i:]) != 0 {
			return errors.New("inline page with a bucket inside")
		}
	}
	return w.leaf(at+boltBucketHead, elements, length)
}

// freelist checks that no page in use is listed as free.
func (w *boltWalk) freelist(id uint64) error {
	flags, count, length, err := w.head(id)
	if err != nil {
		return err
	}
	if flags != boltFreelist {
		return fmt.Errorf("flags %#x", flags)
	}
	at, n := int64(id)*w.pageSize+boltPageHead, int64(count)
	if count == 0xFFFF { // the count did not fit and stands before the list
		var b [8]byte
		if _, err := w.r.ReadAt(b[:], at); err != nil {
			return err
		}
		at, length = at+8, length-8
		if c := binary.NativeEndian.Uint64(b[:]); c > uint64(length) {
			return fmt.Errorf("%d entries do not fit", c)
		} else {
			n = int64(c)
		}
	}
	if boltPageHead+n*8 > length {
		return fmt.Errorf("%d entries do not fit", n)
	}
	list := make([]byte, n*8)
	if _, err := w.r.ReadAt(list, at); err != nil {
		return err
	}
	for ; len(list) > 0; list = list[8:] {
		if err := w.claim(binary.NativeEndian.Uint64(list)); err != nil {
			return err
		}
	}
	return nil
}
