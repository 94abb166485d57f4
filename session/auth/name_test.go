package auth

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// nameCases are names and what is left of them.
var nameCases = []struct{ name, in, want string }{
	{"plain", "Percy", "Percy"},
	{"two words", "Percy Tse", "Percy Tse"},
	{"spaces", "  a \t  b\n ", "a b"}, {"line breaks", "a\nb", "ab"},
	{"other spaces", "\u00a0a\u3000b\u2003\u2028c\u1680", "a b c"},
	{"only spaces", " \u00a0\u3000\u2028", ""},
	{"control", "a\x00b\x7f\u0085c", "abc"},
	{"direction", "\u202egnirts\u202c\u2066\u200f\u061c", "gnirts"},
	{"zero width", "a\u200bd\ufeffm\u2060i\u00adn", "admin"},
	{"nothing but those", "\u200b\u200d\u2063\ufeff", ""},
	{"joiners between letters", "ad\u200dmi\u200cn", "admin"},
	{"tags", "a\U000e0061\U000e0001b", "ab"},
	{"variation selectors", "a\ufe0fb\ufe00\U000e0100", "ab"},
	{"Hangul fillers", "\u3164\u115f\u1160\uffa0", ""},
	{"braille blank", "\u2800\u2800", ""},
	{"braille", "\u2801", "\u2801"},
	{"Khmer and Mongolian ones", "\u17b4\u17b5\u180b\u180e", ""},
	{"grapheme joiner", "a\u034fb", "ab"},
	{"no characters", "\ufffe\ufdd0\U0010ffff\ue000\ufffc", ""},
	{"no UTF-8", "a\xff\xedb", "ab"},
	{"a flood of marks", "a" + strings.Repeat("\u0335", 40) + "b" + strings.Repeat("\u0336", 3), "a" + strings.Repeat("\u0335", 4) + "b" + strings.Repeat("\u0336", 3)},
	{"marks on nothing", "\u0301 \u0301a", "a"},
	{"enclosing marks", "\u20dda", "a"},
	{"composed", "e\u0301", "é"},
	{"composed around what was dropped", "e\u200b\u0301", "é"},
	{"Vietnamese", "Nguye\u0302\u0303n", "Nguyễn"},
	{"Thai", "ผู้ใหญ่", "ผู้ใหญ่"},
	{"Hebrew with vowels", "שָׁלוֹם", norm.NFC.String("שָׁלוֹם")},
	{"Chinese", "百家樂 小明", "百家樂 小明"},
	{"Persian", "می\u200cخواهم", "می\u200cخواهم"},
	{"a non-joiner that shows nothing", "دا\u200cر", "دار"},
	{"two of them", "می\u200c\u200cخ", "می\u200cخ"},
	{"at the end", "می\u200c", "می"},
	{"Hindi", "क्\u200dष क्\u200cष", "क्\u200dष क्\u200cष"},
	{"a family", "👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"},
	{"a tone of skin", "👩🏽\u200d🚀", "👩🏽\u200d🚀"},
	{"a heart", "❤\ufe0f\u200d🔥 ❤\ufe0f", "❤\ufe0f\u200d🔥 ❤\ufe0f"},
	{"a joiner after a picture", "🎲\u200dx 🎲\u200d", "🎲x 🎲"},
	{"a flag of letters", "🇹🇼", "🇹🇼"},
	{"a flag of tags", "🏴\U000e0067\U000e0062\U000e007f", "🏴"},
	{"long", strings.Repeat("樂", 70), strings.Repeat("樂", 64)},
	{"cut at a joiner", strings.Repeat("a", 62) + "👨\u200d👩", strings.Repeat("a", 62) + "👨"},
	{"cut at a space", strings.Repeat("a", 63) + " b", strings.Repeat("a", 63)},
	{"far too long", strings.Repeat("\u200b", 1<<16) + "a", ""},
}

func TestCleanName(t *testing.T) {
	for _, tc := range nameCases {
		t.Run(tc.name, func(t *testing.T) {
			if got := CleanName(tc.in); got != tc.want {
				t.Errorf("%+q became %+q, want %+q", tc.in, got, tc.want)
			}
		})
	}
}

// FuzzCleanName: what is left can be seen, is short, and is left as it is the
// next time.
func FuzzCleanName(f *testing.F) {
	for _, tc := range nameCases {
		f.Add(tc.in)
	}
	f.Add("a\u202ec")
	f.Fuzz(func(t *testing.T, name string) {
		got := CleanName(name)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > MaxName || !norm.NFC.IsNormalString(got) {
			t.Fatalf("%+q became %+q", name, got)
		}
		if again := CleanName(got); again != got {
			t.Fatalf("%+q became %+q, and that %+q", name, got, again)
		}
		if strings.TrimSpace(got) != got || strings.Contains(got, "  ") {
			t.Fatalf("%+q became %+q, with spaces", name, got)
		}
		seen := got == ""
		for _, r := range got {
			if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Bidi_Control) && r != zeroWidthJoiner && r != zeroWidthNonJoiner {
				t.Fatalf("%+q became %+q, with %U", name, got, r)
			}
			seen = seen || !unicode.In(r, unicode.M, unicode.Z) && !isJoiner(r) && !invisible(r)
		}
		if !seen && !strings.ContainsFunc(got, func(r rune) bool { return unicode.Is(unicode.Mc, r) }) {
			t.Fatalf("%+q became %+q, of which nothing can be seen", name, got)
		}
	})
}

func BenchmarkCleanName(b *testing.B) {
	for _, name := range []string{"Percy Tse", "百家樂 小明"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				CleanName(name)
			}
		})
	}
}
