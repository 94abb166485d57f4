package wire

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
)

// Deflated is the bit of a data frame's first byte that says that its message
// is compressed: RFC 7692 section 6.
const Deflated = 0x40

// deflateAbove is the shortest payload, in bytes, that is compressed. Of a
// shorter one too little can be saved: no message knows of those before it.
const deflateAbove = 128

// deflateTail ends what was flushed and is not sent: RFC 7692 section 7.2.1.
const deflateTail = "\x00\x00\xff\xff"

// Deflater compresses messages, each by itself. It takes 1.2 MB, so reuse it.
// It is not safe for concurrent use.
type Deflater struct {
	w   *flate.Writer
	out bytes.Buffer
}

// NewDeflater returns a Deflater for any number of messages.
func NewDeflater() *Deflater {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // there is no such level
	}
	return &Deflater{w: w}
}

// Append appends the frames of data, which are complete frames as AppendFrame
// makes them. A text that gets shorter by it is compressed by itself, as for a
// peer that agreed on permessage-deflate without context takeover by the
// server; all else stays as it is.
func (d *Deflater) Append(dst, data []byte) []byte {
	for len(data) > 0 {
		header, size := frameSizes(data)
		frame, payload := data[:header+size], data[header:header+size]
		data = data[len(frame):]
		if Opcode(frame[0]&opcodeBits) == OpText && size >= deflateAbove {
			if packed := d.deflate(payload); len(packed) < size {
				at := len(dst)
				dst = AppendFrame(dst, OpText, packed)
				dst[at] |= Deflated
				continue
			}
		}
		dst = append(dst, frame...)
	}
	return dst
}

// deflate returns the payload of a compressed message, valid until the next
// call.
func (d *Deflater) deflate(payload []byte) []byte {
	d.out.Reset()
	d.w.Reset(&d.out)
	_, err := d.w.Write(payload)
	if err == nil {
		err = d.w.Flush()
	}
	if err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	return bytes.TrimSuffix(d.out.Bytes(), []byte(deflateTail))
}

// ErrInflate is a compressed message that does not inflate.
var ErrInflate = errors.New("a compressed message that does not inflate")

// ErrInflated is a compressed message that is longer than it may be.
var ErrInflated = errors.New("a compressed message is too long")

// finalBlock ends a flate stream after the tail that was not sent.
const finalBlock = "\x01\x00\x00\xff\xff"

// MaxDeflated returns the most bytes of the compressed payload of a message of
// n bytes: one that cannot be compressed gets longer.
func MaxDeflated(n int64) int64 { return n + n>>10 + 64 }

// Inflater inflates messages, each by itself. It takes some 40 KB, so reuse it.
// It is not safe for concurrent use.
type Inflater struct{ r io.ReadCloser }

// NewInflater returns an Inflater for any number of messages.
func NewInflater() *Inflater { return &Inflater{r: flate.NewReader(nil)} }

// Append appends the message whose compressed payload is in packed to dst, and
// uses packed up. It fails with ErrInflate, or with ErrInflated beyond limit
// bytes; of such a message no more than one byte over the limit is inflated.
func (i *Inflater) Append(dst, packed *bytes.Buffer, limit int64) error {
	packed.WriteString(deflateTail + finalBlock)
	if err := i.r.(flate.Resetter).Reset(packed, nil); err != nil {
		return fmt.Errorf("%w: %v", ErrInflate, err)
	}
	n, err := dst.ReadFrom(io.LimitReader(i.r, limit+1))
	switch {
	case n > limit:
		return ErrInflated
	case err != nil:
		return fmt.Errorf("%w: %v", ErrInflate, err)
	}
	return nil
}
