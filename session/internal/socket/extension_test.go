package socket

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
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

func TestCompressionOffers(t *testing.T) {
	for offer, want := range map[string]bool{
		"":                       false,
		"x-webkit-deflate-frame": false,
		"permessage-deflate":     true,
		"permessage-deflate; client_max_window_bits":                                 true, // Chrome, Firefox
		"permessage-deflate; client_max_window_bits=10":                              true,
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover": true,
		"permessage-deflate;server_no_context_takeover":                              true,
		"permessage-deflate; server_max_window_bits=10":                              false,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":          true,
		"permessage-deflate; something_new":                                          false,
		"permessage-bzip2, permessage-deflate":                                       true,
		"permessage-deflates":                                                        false,
	} {
		same(t, offer, offersDeflate(http.Header{"Sec-Websocket-Extensions": {offer}}), want)
	}
	two := http.Header{"Sec-Websocket-Extensions": {"permessage-bzip2", "permessage-deflate"}}
	same(t, "in the second line", offersDeflate(two), true)
}

// deflated is a text compressed as a client sends it.
func deflated(t testing.TB, message string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	must(t, err)
	_, err = io.WriteString(w, message)
	must(t, err)
	must(t, w.Flush())
	return b.Bytes()[:b.Len()-4]
}

// What a client that agreed on compression may send, and what not.
func TestCompressedFrames(t *testing.T) {
	hello := strings.Repeat("hello ", 50)
	packed := deflated(t, hello)
	random := noise(1 << 16)
	for name, c := range map[string]struct {
		sent  []byte
		heard string // "" none
		end   string
	}{
		"one frame":         {clientFrame(0xc1, packed), hello, "lost"},
		"binary":            {clientFrame(0xc2, packed), hello, "lost"},
		"not compressed":    {clientFrame(0x81, []byte(hello)), hello, "lost"},
		"empty":             {clientFrame(0xc1, []byte{0}), "", "lost"},
		"in parts":          {append(append(clientFrame(0x41, packed[:3]), clientFrame(0x89, nil)...), clientFrame(0x80, packed[3:])...), hello, "lost"},
		"then plain":        {append(clientFrame(0xc1, packed), clientFrame(0x81, []byte("x"))...), hello, "lost"},
		"bit on the second": {append(clientFrame(0x41, packed[:3]), clientFrame(0xc0, packed[3:])...), "-", "1002"},
		"bit on a ping":     {clientFrame(0xc9, nil), "-", "1002"},
		"another bit":       {clientFrame(0xa1, packed), "-", "1002"},
		"garbage":           {clientFrame(0xc1, []byte("\xff\xff\xff")), "-", "1002"},
		"cut":               {clientFrame(0xc1, packed[:len(packed)/2]), "-", "1002"},
		"too long":          {clientFrame(0xc1, deflated(t, strings.Repeat("x", 1<<16+1))), "-", "1009"},
		"at the limit":      {clientFrame(0xc1, deflated(t, strings.Repeat("x", 1<<16))), strings.Repeat("x", 1<<16), "lost"},
		"noise":             {clientFrame(0xc1, deflated(t, random)), random, "lost"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{1, 1 << 20} {
				conn := &recorded{rest: bytes.Clone(c.sent), piece: piece}
				heard, end := heardOf(func(f controlFunc) Source { return NewReader(Conn{Conn: conn}, true, f) })
				same(t, "the end", kindOf(end), c.end)
				switch {
				case c.heard == "-":
					if len(heard) > 0 && !strings.HasPrefix(heard[0], "9 ") {
						t.Errorf("heard %.100q", heard)
					}
				case c.heard != "" && !strings.Contains(strings.Join(heard, ""), fmt.Sprintf("%q", c.heard)):
					t.Errorf("heard %.100q, want %.100q", heard, c.heard)
				case len(heard) == 0:
					t.Error("heard nothing")
				}
			}
		})
	}
}

func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.N(256))
	}
	return string(b)
}
