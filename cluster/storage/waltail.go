package storage

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// raft-wal v0.4.2 finds the end of its newest segment as we do below, but leaves two things as a crash left them:
//
//   - A batch that fills the segment ends with an index, which seals it, and the table of segments learns of that only
//     afterwards. A crash in between, or a disk without room for the table or for the next segment, leaves a sealed
//     segment that the table calls open. It is opened for appends, and every append is refused, for ever.
//   - What a torn append left behind the last whole batch stays there. A later batch that is shorter leaves the rest of it
//     standing, and at the next start that rest may be read as frames, an index among them.
//
// So before raft-wal opens the log, the newest segment is cleared behind its last whole batch, and entered as sealed into
// the table where it is. The format is raft-wal's (segment/format.go): a header of 32 bytes, then frames of
//
//	0      1          4             8
//	type   reserved   length | CRC  payload, padded to 8 bytes
//
// A commit frame has no payload; its CRC32C is that of all bytes since the commit frame before it.
const (
	walHeaderBytes = 32
	walFrameBytes  = 8
	walFrameEntry  = 1
	walFrameIndex  = 2
	walFrameCommit = 3

	walClearBytes = 256 << 10 // read at a time behind the end
)

// walTail is what a walk finds in a segment: its whole batches.
type walTail struct {
	entries uint64
	end     int64 // behind the last whole batch, 0: there is none
	index   int64 // where the index's payload begins, 0: not sealed
}

// settleTail puts the newest segment in order. It leaves everything as it is where entries up to durable are missing:
// that is damage, and for checkLog to name.
func settleTail(dir string, durable uint64, segmentBytes int, logger *slog.Logger) error {
	path := filepath.Join(dir, walMetaName)
	var table types.PersistentState
	if err := readSealed(path, walMetaKind, walMetaVersion, &table); err != nil || len(table.Segments) == 0 {
		return ignoreMissing(err) // a new log
	}
	newest := &table.Segments[len(table.Segments)-1]
	if !newest.SealTime.IsZero() {
		return nil
	}
	name := filepath.Join(dir, segment.FileName(*newest))
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return ignoreMissing(err) // a crash came before it was made; raft-wal makes it
	}
	defer f.Close()
	tail, err := walkTail(f)
	if err != nil {
		return err
	}
	last := newest.BaseIndex + tail.entries - 1
	if last < durable {
		return nil
	}
	if err := clearBehind(f, tail.end, logger); err != nil {
		return err
	}
	if tail.index == 0 {
		return nil
	}
	logger.Info("log: a crash came between the end of a segment and the next one; made up for", "segment", name)
	now := time.Now()
	newest.SealTime, newest.MaxIndex, newest.IndexStart = now, last, uint64(tail.index)
	table.Segments = append(table.Segments, types.SegmentInfo{
		ID: table.NextSegmentID, BaseIndex: last + 1, MinIndex: last + 1, SizeLimit: uint32(segmentBytes),
		Codec: wal.CodecBinaryV1, CreateTime: now,
	})
	table.NextSegmentID++
	return writeSealed(path, walMetaKind, walMetaVersion, &table)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// walkTail reads the frames of a segment up to the first that is none. Only the last commit can be torn: the batches
// before it were whole when it was written, so their sums are not computed again (their entries have sums of our own).
func walkTail(f io.ReaderAt) (walTail, error) {
	var last, before walTail // at the last commit and the one before it
	var at walTail           // so far
	var want uint32          // of the last commit
	var frame [walFrameBytes]byte
	for off := int64(walHeaderBytes); ; {
		if _, err := f.ReadAt(frame[:], off); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return walTail{}, err
		}
		value := binary.LittleEndian.Uint32(frame[4:])
		size := int64(0)
		switch frame[0] {
		case walFrameEntry:
			at.entries++
			size = int64(value)
		case walFrameIndex:
			at.index = off + walFrameBytes
			size = int64(value)
		case walFrameCommit:
			at.end = off + walFrameBytes
			before, last, want = last, at, value
		default:
			return lastWhole(f, before, last, at, want)
		}
		off += walFrameBytes + (size+walFrameBytes-1)/walFrameBytes*walFrameBytes
	}
	return lastWhole(f, before, last, at, want)
}

// lastWhole decides as raft-wal does whether the last commit counts. Entries behind it show that it was acknowledged;
// otherwise its sum does.
func lastWhole(f io.ReaderAt, before, last, at walTail, want uint32) (walTail, error) {
	if last.end == 0 || last.entries < at.entries {
		return last, nil
	}
	sum := crc32.New(castagnoli)
	n := last.end - walFrameBytes - before.end
	if _, err := io.Copy(sum, io.NewSectionReader(f, before.end, n)); err != nil {
		return walTail{}, err
	}
	if sum.Sum32() == want {
		return last, nil
	}
	return before, nil
}

// clearBehind writes zeros over what is not zero from an offset on.
func clearBehind(f *os.File, from int64, logger *slog.Logger) error {
	buf, zeros := make([]byte, walClearBytes), make([]byte, walClearBytes)
	cleared := int64(0)
	for off := from; ; {
		n, err := f.ReadAt(buf, off)
		if used := len(trimZeros(buf[:n])); used > 0 {
			if _, err := f.WriteAt(zeros[:used], off); err != nil {
				return err
			}
			cleared += int64(used)
		}
		off += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if cleared == 0 {
		return nil
	}
	logger.Warn("log: an append that a crash cut short was removed; it was not acknowledged", "file", f.Name(), "bytes", cleared)
	return f.Sync()
}

// trimZeros cuts the zeros at the end off.
func trimZeros(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}
