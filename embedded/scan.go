package embedded

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/minio/highwayhash"
)

// The format of a message in a block file of nats-server: length, sequence, time,
// length of the subject; the subject; if there are headers, their length; headers
// and body; a checksum of all but the lengths. See writeMsgRecordLocked in its
// filestore.go.
const (
	recordHead  = 4 + 8 + 8 + 2
	recordHash  = highwayhash.Size64
	headersFlag = 1 << 31 // of the length
	erasedFlag  = 1 << 63 // of the sequence, as is the next: the message was removed
	tombFlag    = 1 << 62
	maxRecord   = 32 << 20 // the largest record that nats-server accepts
)

// compressed is the beginning of a compressed block, which has another format
// and is not checked. Only an operator can turn compression on for a stream.
var compressed = []byte("cmp")

// scanStore checks the checksums of all messages under dir before the server
// reads them. At a damaged one the server would truncate the block file, and
// the intact messages after it would be lost. The error is a *StoreError that
// says where the damage is. What a crash or power cut leaves is no damage: a
// block that ends in an incomplete message, or that has a page of zeros because
// the last write before the power cut never reached the disk.
func scanStore(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "*", "msgs", "*.blk"))
	if err != nil {
		return &StoreError{Dir: dir, Err: err}
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return &StoreError{Dir: dir, Err: err}
		}
		b, err := newBlock(file, data)
		if err != nil {
			return &StoreError{Dir: dir, Err: err}
		}
		if d := b.damage(); d != nil {
			d.Dir = dir
			return d
		}
	}
	return nil
}

// block is one file with messages of a stream.
type block struct {
	file string
	data []byte
	hash *highwayhash.Digest64
}

func newBlock(file string, data []byte) (*block, error) {
	stream := filepath.Base(filepath.Dir(filepath.Dir(file)))
	key := sha256.Sum256([]byte(stream + "-" + strings.TrimSuffix(filepath.Base(file), ".blk")))
	hash, err := highwayhash.NewDigest64(key[:])
	return &block{file, data, hash}, err
}

// record returns the length and the sequence of the message at a position; 0 if
// there is no intact one.
func (b *block) record(at int) (length int, seq uint64) {
	rest := b.data[at:]
	if len(rest) < recordHead+recordHash {
		return 0, 0
	}
	le := binary.LittleEndian
	size := le.Uint32(rest)
	headers := size&headersFlag != 0
	size &^= headersFlag
	subject := int(le.Uint16(rest[20:]))
	body := recordHead + subject
	if headers {
		body += 4
	}
	if size > maxRecord || int(size) > len(rest) || body+recordHash > int(size) {
		return 0, 0
	}
	b.hash.Reset()
	b.hash.Write(rest[4:20])
	b.hash.Write(rest[recordHead : recordHead+subject])
	b.hash.Write(rest[body : int(size)-recordHash])
	var sum [recordHash]byte
	if !bytes.Equal(b.hash.Sum(sum[:0]), rest[int(size)-recordHash:size]) {
		return 0, 0
	}
	return int(size), le.Uint64(rest[4:]) &^ (erasedFlag | tombFlag)
}

// damage returns nil when intact messages follow each other to the end, or up
// to a point after which there are none.
func (b *block) damage() *StoreError {
	if bytes.HasPrefix(b.data, compressed) {
		return nil
	}
	at := 0
	for at < len(b.data) {
		length, _ := b.record(at)
		if length == 0 {
			break
		}
		at += length
	}
	first, whole := uint64(0), 0
	for next := at + 1; next < len(b.data); {
		length, seq := b.record(next)
		if length == 0 {
			next++
			continue
		}
		if whole++; whole == 1 {
			first = seq
			if hasZeroPage(b.data, at, next) {
				return nil
			}
		}
		next += length
	}
	if whole == 0 {
		return nil
	}
	return &StoreError{
		Err:  fmt.Errorf("%s is damaged at byte %d, and was left as it is: NATS would cut off what follows, with %d messages from sequence %d on that are whole", b.file, at, whole, first),
		todo: fmt.Sprintf("restore that file from a copy; or give these messages up: truncate -s %d '%s'", at, b.file),
	}
}

// hasZeroPage reports whether a page between the two positions is all zeros,
// which no message is: it was never written.
func hasZeroPage(data []byte, from, to int) bool {
	const page = 4096
	for at := (from + page - 1) / page * page; at+page <= to; at += page {
		if len(bytes.Trim(data[at:at+page], "\x00")) == 0 {
			return true
		}
	}
	return false
}
