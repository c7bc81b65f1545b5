package storage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// castagnoli is CRC32C: it has an instruction of its own on amd64 and arm64.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const tmpSuffix = ".tmp"

var errSealed = errors.New("not a sealed file")

// seal encodes v under kind and version:
//
//	redoubt KIND VERSION CRC32C\n{...json...}\n
//
// The sum covers "KIND VERSION\n" and the JSON with its newline, so that a flipped version is damage and a whole one
// that is too high is ErrVersion. Later versions keep the first line.
func seal(kind string, version int, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", kind, err)
	}
	body = append(body, '\n')
	if len(body) > sealedBytesMax/2 {
		return nil, fmt.Errorf("encode %s: %d bytes: at most %d", kind, len(body), sealedBytesMax/2)
	}
	head := fmt.Sprintf("redoubt %s %d %08x\n", kind, version, sealSum(kind, version, body))
	return append([]byte(head), body...), nil
}

func sealSum(kind string, version int, body []byte) uint32 {
	sum := crc32.Checksum(fmt.Appendf(nil, "%s %d\n", kind, version), castagnoli)
	return crc32.Update(sum, castagnoli, body)
}

// unseal checks data and decodes it into v. Errors: ErrVersion, or what is wrong.
func unseal(data []byte, kind string, version int, v any) error {
	head, body, ok := bytes.Cut(data, []byte{'\n'})
	if !ok {
		return fmt.Errorf("%w: no first line", errSealed)
	}
	var got int
	var sum uint32
	if _, err := fmt.Sscanf(string(head), "redoubt "+kind+" %d %x", &got, &sum); err != nil {
		return fmt.Errorf("%w: first line is not that of a %s", errSealed, kind)
	}
	// The line is rebuilt, not trusted: Sscanf takes signs, blanks and upper case, all of which a flipped bit can make.
	if want := fmt.Sprintf("redoubt %s %d %08x", kind, got, sealSum(kind, got, body)); want != string(head) {
		return errors.New("checksum does not match")
	}
	if got > version {
		return fmt.Errorf("%w: %s of version %d, this one reads %d", ErrVersion, kind, got, version)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("decode %s: %w", kind, err)
	}
	return nil
}

// readSealed reads and checks a sealed file. A missing file is fs.ErrNotExist, a bad one ErrDamaged.
func readSealed(path, kind string, version int, v any) error {
	data, err := readBounded(path, sealedBytesMax)
	if err != nil {
		return err
	}
	err = unseal(data, kind, version, v)
	if errors.Is(err, ErrVersion) {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err != nil {
		return damaged(path, err)
	}
	return nil
}

func readBounded(path string, bytesMax int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, bytesMax+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > bytesMax {
		return nil, damagedf(path, "larger than %d bytes", bytesMax)
	}
	return data, nil
}

func writeSealed(path, kind string, version int, v any) error {
	data, err := seal(kind, version, v)
	if err != nil {
		return err
	}
	return writeAtomic(path, data)
}

// writeAtomic replaces a file so that a crash leaves the old one or the new one.
func writeAtomic(path string, data []byte) error {
	tmp := path + tmpSuffix
	if err := writeSynced(tmp, data); err != nil {
		return err
	}
	return publish(tmp, path)
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// publish renames a synced temporary file or directory to its name and makes the name durable.
func publish(tmp, path string) error {
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncPath(filepath.Dir(path))
}

// syncPath forces a file or a directory to disk.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
