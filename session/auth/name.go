package auth

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxMarks is the most combining marks on one letter of a name. Hebrew with
// vowels and accents has three, Tibetan four.
const maxMarks = 4

// CleanName returns a name in a form fit for display, in which names that look
// the same are equal, as far as that is possible: valid UTF-8 in NFC of at most
// MaxName characters, without invisible characters, those that change the
// direction of text, and marks without a letter, with single spaces between
// words. It returns "" if nothing is left. Joiners stay where they are visible:
// within emoji, and in the scripts that need them.
func CleanName(name string) string {
	if plainName(name) {
		return name
	}
	runes := []rune(norm.NFC.String(strings.ToValidUTF8(truncate(name), "")))
	kept := make([]rune, 0, len(runes))
	marks := 0
	for i, r := range runes {
		switch {
		case unicode.IsControl(r):
			continue
		case unicode.IsSpace(r):
			if r = ' '; len(kept) == 0 || kept[len(kept)-1] == ' ' {
				continue
			}
			marks = 0
		case isJoiner(r):
			if !joins(kept, r, runes[i+1:]) {
				continue
			}
		case invisible(r):
			continue
		case unicode.In(r, unicode.Mn, unicode.Me):
			if marks++; marks > maxMarks || len(kept) == 0 || kept[len(kept)-1] == ' ' {
				continue
			}
		default:
			marks = 0
		}
		kept = append(kept, r)
	}
	kept = kept[:min(len(kept), MaxName)]
	for len(kept) > 0 && (kept[len(kept)-1] == ' ' || isJoiner(kept[len(kept)-1]) && kept[len(kept)-1] != emojiStyle) {
		kept = kept[:len(kept)-1]
	}
	return norm.NFC.String(string(kept))
}

// truncate truncates a name before it is parsed. The limit leaves room for
// characters that are dropped.
func truncate(name string) string {
	const limit = 16 * MaxName * utf8.UTFMax
	return name[:min(len(name), limit)]
}

// plainName reports whether CleanName would return name unchanged because it is
// printable ASCII with single spaces, as most names are.
func plainName(name string) bool {
	if len(name) > MaxName {
		return false
	}
	space := true // also before the first letter
	for i := range len(name) {
		c := name[i]
		if c < ' ' || c > '~' || c == ' ' && space {
			return false
		}
		space = c == ' '
	}
	return !space || name == ""
}

// invisible reports whether a character is not visible, or may be drawn as
// anything: control and format characters, including those for direction and
// tags, private-use and default-ignorable ones; and the few letters and symbols
// that are drawn blank.
func invisible(r rune) bool {
	switch r {
	case 0x2800, 0xfffc, 0x1d159, 0x13441, 0x13442: // blank Braille, object replacement, null notehead, hieroglyphic blanks
		return true
	case 0x16fe4: // Khitan small script filler
		return true
	}
	return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point,
		unicode.Variation_Selector, unicode.Noncharacter_Code_Point)
}

const (
	zeroWidthNonJoiner = 0x200c
	zeroWidthJoiner    = 0x200d
	emojiStyle         = 0xfe0f // variation selector 16: shown as emoji
)

func isJoiner(r rune) bool {
	return r == zeroWidthNonJoiner || r == zeroWidthJoiner || r == emojiStyle
}

// joins reports whether a joiner has a visible effect between what comes before
// and after it, by RFC 5892, appendix A (the rules for host names), and
// Unicode's emoji sequences.
func joins(before []rune, r rune, after []rune) bool {
	if len(before) == 0 {
		return false
	}
	last := before[len(before)-1]
	if r == emojiStyle {
		return emoji(last)
	}
	if len(after) == 0 || invisible(after[0]) || unicode.IsSpace(after[0]) || isJoiner(last) && last != emojiStyle {
		return false
	}
	next := after[0]
	switch {
	case r == zeroWidthJoiner && (emoji(last) || last == emojiStyle) && emoji(next):
		return true
	case norm.NFC.PropertiesString(string(last)).CCC() == virama && unicode.IsLetter(next):
		return true
	case r == zeroWidthNonJoiner:
		return joinsOn(last) && unicode.Is(unicode.Arabic, next) && unicode.IsLetter(next)
	}
	return false
}

// virama is the canonical combining class of the signs that suppress a vowel,
// after which Indic scripts use joiners.
const virama = 9

// joinsOn reports whether an Arabic letter connects to the next one: a
// non-joiner after one that does not has no effect.
func joinsOn(r rune) bool {
	const never = "ءآأؤإاٱٲٳٵدذرزوىةژڈڑڌڎړڕږڗۀۃۄۅۆۇۈۉۊۋۍۏےۓە"
	return unicode.Is(unicode.Arabic, r) && unicode.IsLetter(r) && !strings.ContainsRune(never, r)
}

// emoji reports whether a character may be part of an emoji sequence: the
// blocks of pictographs, arrows and symbols, and the skin tones.
func emoji(r rune) bool {
	if r < 0x2190 || r > 0x27bf && r < 0x2b00 || r > 0x2bff && r < 0x1f000 || r > 0x1faff || r >= 0x2500 && r < 0x2600 {
		return r == 0xa9 || r == 0xae || r == 0x203c || r == 0x2049 || r == 0x2122 || r == 0x2139 || r == 0x25b6 || r == 0x25c0
	}
	return unicode.In(r, unicode.So, unicode.Sk, unicode.Sm)
}
