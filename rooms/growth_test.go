package rooms_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestInjectedDoesNotGrow: what services publish, over NATS or through the
// engine as the HTTP API does, is stored and delivered as long as it came and a
// bounded envelope; what is not JSON is refused and reaches nobody.
func TestInjectedDoesNotGrow(t *testing.T) {
	const size, envelope = 64 << 10, 512
	eng, srv := start(t, nil)
	nc := outsider(t, srv)
	heard := record(t, nc, "x")
	m := join(t, eng, "x", "m", rooms.Since{})
	got := map[string]int{}
	for _, part := range []string{"a", "<", "&", "\u2028", "莊", "\x7f", `\u0001`, `\n`, `\"`, `\ud83c`, `\u003c`, `\/`} {
		value := `"` + strings.Repeat(part, size/len(part)) + `"`
		for _, format := range []string{
			`{"type":"new_message","payload":{"message":%s}}`, `{"type":"new_message","payload":{"message":"a","uid":%[1]s,"guest":%[1]s}}`,
			`{"type":"note","payload":%s}`, `{"type":"note","payload":[[[[{"<":%s}]]]]}`,
		} {
			body := fmt.Sprintf(format, value)
			ev, published, err := wire.ReadBody([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			inject(t, nc, "room.x.event", body)
			if _, err := eng.Publish(within(t), "x", published, rooms.PublishOptions{}); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if n := len((<-heard).Data); n > len(body) {
					t.Errorf("%s of %q: %d bytes were published and %d stored", format, part, len(body), n)
				}
			}
			got[ev.Type] += 2
			for _, shown := range m.awaitEvents(t, got[ev.Type], ev.Type)[got[ev.Type]-2:] {
				if n := len(wire.AppendEvent(nil, shown)); n > len(body)+envelope {
					t.Errorf("%s of %q: %d bytes were published and %d delivered", format, part, len(body), n)
				}
			}
		}
	}
	for _, bad := range []string{`"\x"`, "\"\x01\"", "\"\xff\"", `"\u12"`, `nul`} {
		if _, _, err := wire.ReadBody([]byte(`{"type":"note","payload":` + bad + `}`)); code(err) != wire.BadJSON {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
