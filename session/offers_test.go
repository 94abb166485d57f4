package session

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// oneOffer is an offer of compression that we can keep, as RFC 7692 writes it.
var oneOffer = regexp.MustCompile(`^[ \t]*permessage-deflate[ \t]*(;[ \t]*(server_no_context_takeover|client_no_context_takeover|client_max_window_bits)[ \t]*(=[^;]*)?)*$`)

// FuzzOffersDeflate compares with the pattern.
func FuzzOffersDeflate(f *testing.F) {
	for _, seed := range []string{
		"", "permessage-deflate", "permessage-deflate; client_max_window_bits", "permessage-deflate; server_max_window_bits=10, permessage-deflate",
		"x-webkit-deflate-frame", "permessage-deflate;", "permessage-deflate; server_no_context_takeover=1;client_no_context_takeover", "a;b, permessage-deflate ; client_max_window_bits=15",
		"permessage-deflate=1", ",,", "permessage-deflate\n; x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		header := http.Header{"Sec-Websocket-Extensions": strings.Split(lines, "\n")}
		want := false
		for _, line := range header["Sec-Websocket-Extensions"] {
			for offer := range strings.SplitSeq(line, ",") {
				want = want || oneOffer.MatchString(offer)
			}
		}
		if got := offersDeflate(header); got != want {
			t.Fatalf("%q: %t, want %t", lines, got, want)
		}
	})
}
