package wire

import (
	"math/bits"
	"unicode/utf8"
)

// skipPlain returns where text, from at on, has the first byte that cannot
// stand in a JSON string as it is: a quote, a backslash, a control character,
// or what is not valid UTF-8; len(text) when there is none. It reads every
// string of an event once, so it is done eight bytes at a time.
func skipPlain[T string | []byte](text T, at int) int {
	for {
		for len(text)-at >= 8 {
			if found := special(eight(text, at)); found != 0 {
				at += bits.TrailingZeros64(found) >> 3
				break
			}
			at += 8
		}
		for at < len(text) && plainASCII(text[at]) {
			at++
		}
		if at == len(text) || text[at] < utf8.RuneSelf {
			return at
		}
		start := at
		if at = skipRunes(text, at); at == start {
			return at
		}
	}
}

func plainASCII(c byte) bool { return c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' }

// every has b in each of its bytes.
func every(b byte) uint64 { return uint64(b) * 0x0101010101010101 }

func eight[T string | []byte](text T, at int) uint64 {
	b := text[at : at+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// special marks the first of eight bytes that is no plain ASCII with its
// highest bit; marks above that may be wrong, because a difference borrows
// from there.
func special(w uint64) uint64 {
	quote, backslash := w^every('"'), w^every('\\')
	return (w | (quote - every(1)) | (backslash - every(1)) | (w - every(0x20))) & every(0x80)
}

// skipRunes skips the characters beyond ASCII that stand at at.
func skipRunes[T string | []byte](text T, at int) int {
	for at < len(text) && text[at] >= utf8.RuneSelf {
		for len(text)-at >= 8 && threeByteTwice(eight(text, at)) {
			at += 6
		}
		if at == len(text) || text[at] < utf8.RuneSelf {
			return at
		}
		n := runeLen(text, at)
		if n == 0 {
			return at
		}
		at += n
	}
	return at
}

// threeByteTwice reports whether w begins with two characters of three bytes,
// as nearly all of Chinese, Japanese and Korean is written. The two first bytes
// with rules of their own, E0 and ED, are left to runeLen.
func threeByteTwice(w uint64) bool {
	const (
		marks = 0xc0c0f0c0c0f0 // the bits that say which byte of how many it is
		want  = 0x8080e08080e0
		kind  = 0x00000f00000f // of a first byte, which may be neither 0 nor D
		d     = 0x00000d00000d
		carry = 0x000010000010 // of kind + kind, unless it was 0
	)
	first := w & kind
	return w&marks == want && (first+kind)&((first^d)+kind)&carry == carry
}

// runeLen is the length of the character beyond ASCII at at; 0 when there is
// none. The table is that of RFC 3629: only the second byte has bounds that
// depend on the first.
func runeLen[T string | []byte](text T, at int) int {
	lead, rest := text[at], text[at+1:]
	low, high := byte(0x80), byte(0xbf)
	switch {
	case lead < 0xc2 || lead > 0xf4:
		return 0
	case lead < 0xe0:
		if len(rest) >= 1 && rest[0]^0x80 < 0x40 {
			return 2
		}
		return 0
	case lead == 0xe0:
		low = 0xa0
	case lead == 0xed:
		high = 0x9f
	case lead == 0xf0:
		low = 0x90
	case lead == 0xf4:
		high = 0x8f
	}
	if len(rest) < 2 || rest[0] < low || rest[0] > high || rest[1]^0x80 >= 0x40 {
		return 0
	}
	if lead < 0xf0 {
		return 3
	}
	if len(rest) < 3 || rest[2]^0x80 >= 0x40 {
		return 0
	}
	return 4
}
