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

// How nats-server writes a message into a block: length, sequence, time, length
// of the subject; the subject; with headers, their length; headers and body; a
// checksum over all but the lengths. See writeMsgRecordLocked in its
// filestore.go.
const (
	recordHead  = 4 + 8 + 8 + 2
	recordHash  = highwayhash.Size64
	headersFlag = 1 << 31 // of the length
	erasedFlag  = 1 << 63 // of the sequence, as is the next: the message was removed
	tombFlag    = 1 << 62
	mostRecord  = 32 << 20 // of the lengths that nats-server believes
)

// compressed is how a block begins whose messages are not written as above:
// nobody but an operator sets that for a stream.
var compressed = []byte("cmp")

// scanStore reads all messages under dir before the server does. Where it meets
// a damaged one it would cut off that block from there on, and the messages
// after it, which are whole, were gone. The error is a *StoreError that says
// where it is. What a machine leaves that died while it wrote is no damage: a
// block that ends in a piece of a message, or that has a page of zeros where
// the last that was written before the power cut never came to the disk.
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

// block is a file with messages of one stream.
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

// record is the length of the message at a position and its sequence; 0 when
// there is none that is whole.
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
	if size > mostRecord || int(size) > len(rest) || body+recordHash > int(size) {
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

// damage is nil when the messages follow each other to the end, or to one after
// which none is whole.
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
			if unwritten(b.data, at, next) {
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

// unwritten reports whether a page between the two positions is nothing but
// zeros, which no message is.
func unwritten(data []byte, from, to int) bool {
	const page = 4096
	for at := (from + page - 1) / page * page; at+page <= to; at += page {
		if len(bytes.Trim(data[at:at+page], "\x00")) == 0 {
			return true
		}
	}
	return false
}
