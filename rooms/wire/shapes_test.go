package wire

import (
	"fmt"
	"strings"
	"testing"
)

// shapes are bodies of new_message that are n bytes long, or hardly longer, and
// differ in what they are made of.
func shapes(n int) map[string][]byte {
	const complete = `"from":"percy","sent":"2026-11-20T12:00:00.123456789Z","time":1795176000123,"uid":"u-1","username":"Percy","avatar_id":"3","room_id":"general"`
	const deal = `{"seat":7,"cards":["TD","9S"],"sent":"no","won":true,"odds":{"time":1,"banker":0.95}}`
	filled := func(frame, filler string) []byte {
		space := n - len(frame) + len("%s")
		text := strings.Repeat(filler, space/len(filler)+1)
		if space < 0 {
			space = 0
		}
		for space < len(text) && space > 0 && text[space]&0xc0 == 0x80 {
			space++ // a character is not cut
		}
		return fmt.Appendf(nil, frame, text[:space])
	}
	message := func(filler string) []byte {
		return filled(`{"type":"new_message","payload":{"message":"%s",`+complete+`}}`, filler)
	}
	deals := strings.TrimSuffix(strings.Repeat(deal+",", max(1, (n-300)/(len(deal)+1))), ",")
	return map[string][]byte{
		"plain":    message("a message of ordinary length, as people write them; "),
		"braces":   message("{player} 9 : {banker} 8 [tie] }{ "),
		"cjk":      message("莊家贏了,閒家輸了。"),
		"emoji":    message("🎲🃏 well "),
		"quoted":   message(`she said \"no more bets\", and left `),
		"nested":   filled(`{"type":"new_message","payload":{"deals":[`+deals+`],"message":"%s",`+complete+`}}`, "x"),
		"injected": filled(`{"type":"new_message","payload":{"message":"%s","from":"dealer"}}`, "a message of ordinary length, as people write them; "),
	}
}

var shapeNames = []string{"plain", "braces", "cjk", "emoji", "quoted", "nested", "injected"}

const shapeTime = "2026-11-20T12:00:00.123456789Z"

// What comes of a body is written into memory that is there, whatever is in it.
func TestStoredAllocatesNothing(t *testing.T) {
	for _, n := range []int{400, 4 << 10, 16 << 10} {
		dst := make([]byte, 0, n+2048)
		for name, body := range shapes(n) {
			allocs := testing.AllocsPerRun(100, func() {
				st, err := ReadStored(body)
				if err != nil {
					t.Fatal(err)
				}
				if st.FrameSize("general", shapeTime) > cap(dst) {
					t.Fatal("the frame does not fit")
				}
				st.AppendFrame(dst, "general", 1<<63, shapeTime)
			})
			if allocs != 0 {
				t.Errorf("%s, %d bytes: %v allocations", name, n, allocs)
			}
		}
	}
}

// BenchmarkStored is the way from a stored body to its frame. Compare shapes of
// one length: the MB/s say what a byte costs.
func BenchmarkStored(b *testing.B) {
	for _, n := range []int{400, 4 << 10, 16 << 10} {
		bodies := shapes(n)
		for _, name := range shapeNames {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				body, dst := bodies[name], make([]byte, 0, 2*n)
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					st, err := ReadStored(body)
					if err != nil {
						b.Fatal(err)
					}
					st.AppendFrame(dst, "general", 123456, shapeTime)
				}
			})
		}
	}
}

// BenchmarkSendMessage is a client's text on its way into the log.
func BenchmarkSendMessage(b *testing.B) {
	for _, n := range []int{400, 16 << 10} {
		bodies := shapes(n)
		for _, name := range shapeNames {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				b.SetBytes(int64(len(bodies[name])))
				b.ReportAllocs()
				for b.Loop() {
					ev, err := Decode(bodies[name])
					if err != nil {
						b.Fatal(err)
					}
					in, ok := ReadSendMessage(ev.Payload)
					if !ok {
						b.Fatal("not read")
					}
					MessageBody(&Message{From: in.From}, in.Text)
				}
			})
		}
	}
}
