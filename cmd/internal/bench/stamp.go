package bench

import (
	"bytes"
	"encoding/binary"
	"time"
)

// A message's text begins with its stamp: who sent it, which of the sender's
// it is, and when. It has a fixed length, so that a message is made by
// overwriting the one before.
//
//	bench SSSSSSSSNNNNNNNNTTTTTTTTTTTTTTTT
const (
	stampWord   = "bench "
	numberChars = 8  // of the sender and of the message
	timeChars   = 16 // ns since the start of the run
	stampChars  = len(stampWord) + 2*numberChars + timeChars
)

// mark is where the text begins in a frame of any of the servers. A quote
// within a string is escaped, so nothing else can look like it.
var mark = []byte(`"` + stampWord)

// stamp is what a message says of itself.
type stamp struct {
	sender uint32        // among those who speak in the room, from 0
	number uint32        // of this sender's message, from 0
	sent   time.Duration // since the start of the run
}

// put writes the stamp over the beginning of text.
func (s stamp) put(text []byte) {
	n := copy(text, stampWord)
	putHex(text[n:], s.sender)
	putHex(text[n+8:], s.number)
	putHex(text[n+16:], uint32(s.sent>>32))
	putHex(text[n+24:], uint32(s.sent))
}

// findStamp finds a message's stamp in a frame. hint is where the mark was in
// the last one. That the stamp holds digits only is not checked: a message of
// nobody is found out by its number.
func findStamp(data []byte, hint int) (s stamp, at int, ok bool) {
	at = hint
	if len(data) < at+len(mark) || !bytes.Equal(data[at:at+len(mark)], mark) {
		at = bytes.Index(data, mark)
	}
	if at < 0 || len(data) < at+1+stampChars {
		return s, 0, false
	}
	text := data[at+len(mark) : at+1+stampChars]
	return stamp{
		sender: readHex(text),
		number: readHex(text[8:]),
		sent:   time.Duration(readHex(text[16:]))<<32 | time.Duration(readHex(text[24:])),
	}, at, true
}

// putHex writes v in 8 hexadecimal digits.
func putHex(dst []byte, v uint32) {
	const digits = "0123456789abcdef"
	_ = dst[7]
	for i := range 8 {
		dst[i] = digits[v>>(28-4*i)&15]
	}
}

// readHex reads what putHex wrote, all digits at once: this is done for every
// delivery.
func readHex(src []byte) uint32 {
	x := binary.BigEndian.Uint64(src)
	x = x&0x0f0f0f0f0f0f0f0f + 9*(x>>6&0x0101010101010101) // letters have bit 6
	x = (x | x>>4) & 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	return uint32(x | x>>16)
}
