//go:build linux

package hostile

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What was tried before and held, and must go on to.

// A hundred use one ticket at once, at two nodes.
func TestATicketRaced(t *testing.T) {
	a := prepare(t, setup{name: "tickets used 100 times at once, at two nodes", env: keys})
	a.watch(asUser(t, "bystander"))
	other := beginAlone(t, setup{}, a.another(setup{env: keys}))
	for round := range int(lasts(3, 20)) {
		ticket := "otp=" + url.QueryEscape(a.server.ticket(userToken(t, fmt.Sprint("racer-", round))))
		var in atomic.Int64
		var all sync.WaitGroup
		for n := range 100 {
			at := []*attack{a, other}[n%2]
			all.Go(func() {
				if _, err := at.knock(visit{query: ticket}, nil); err == nil {
					in.Add(1)
				}
			})
		}
		all.Wait()
		a.holds(in.Load() == 1, "a ticket let %d in", in.Load())
	}
	a.end()
}

// Names that look like another's inbox, a wildcard, another subject.
func TestNamesOfOthers(t *testing.T) {
	a := begin(t, setup{name: "names that mean another's inbox or subject"})
	victim := a.listenTo(visit{query: "room=safe"})
	inbox := "@" + a.uid(victim)
	liar := a.listenTo(visit{query: "room=lobby", from: documentation(1)})
	id := 0
	for _, name := range []string{inbox, "@ME", "@me ", "@", "@" + strings.ToUpper(a.uid(victim)), "", "\u0000", "a\nb", strings.Repeat("x", 65)} {
		text, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range []string{
			`{"type":"join_room","id":"%d","payload":{"name":%s}}`,
			`{"type":"change_room","id":"%d","payload":{"name":%s}}`,
			`{"type":"get_history","id":"%d","payload":{"name":%s}}`,
			`{"type":"get_online_users","id":"%d","payload":{"name":%s}}`,
			`{"type":"send_message","id":"%d","room":%s,"payload":{"message":"x"}}`,
			`{"type":"signal","id":"%d","room":%s,"payload":{"message":"x"}}`,
		} {
			if name == "" && !strings.Contains(event, "_room") {
				continue // means the current room
			}
			id++
			pause(t.Context(), 55*time.Millisecond) // within --rate
			liar.say(fmt.Sprintf(event, id, text))
			answer := a.answerTo(liar, fmt.Sprint(id))
			a.holds(slices.Contains([]string{"forbidden", "bad_room", "bad_payload", "not_member"}, codeOf(answer)), "%s with the name %q is answered %s %s", event, name, answer.Type, start(string(answer.Payload)))
		}
	}
	a.holds(len(victim.events("new_message"))+len(victim.events("signal")) == 0, "the victim got %v", victim.got)
	for _, name := range []string{inbox, "@x", "a\x00"} {
		_, err := a.knock(visit{query: "room=" + url.QueryEscape(name), from: documentation(1)}, nil)
		a.holds(err != nil, "?room=%q gets in", name)
	}
	a.end()
}

// Frames and texts that no client sends.
func TestBrokenFrames(t *testing.T) {
	a := begin(t, setup{name: "broken frames, JSON and bombs", flags: []string{"--compress"}})
	deflated := func(n int) []byte {
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte(" "), n)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		return bytes.TrimSuffix(out.Bytes(), []byte{0, 0, 0xff, 0xff})
	}
	const packed = 0x40
	for n, tt := range []struct {
		name string
		raw  []byte
		want []int
	}{
		{"reserved bits", appendFrame(nil, finalBit|0x30|opText, []byte("{}")), []int{1002}},
		{"an unknown opcode", appendFrame(nil, finalBit|3, nil), []int{1002}},
		{"no mask", []byte{finalBit | opText, 2, '{', '}'}, []int{1002}},
		{"a continuation of nothing", appendFrame(nil, finalBit|opContinue, []byte("{}")), []int{1002}},
		{"a ping in fragments", appendFrame(nil, opPing, []byte("x")), []int{1002}},
		{"a ping of 200 bytes", appendFrame(nil, finalBit|opPing, make([]byte, 200)), []int{1002}},
		{"a length of 2^63", []byte{finalBit | opText, maskBit | 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, []int{1002, 1009}},
		{"a length of 2^40", []byte{finalBit | opText, maskBit | 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, []int{1009}},
		{"a message of 20 KB", appendFrame(nil, finalBit|opText, make([]byte, 20<<10)), []int{1009}},
		{"a bomb of 16 MB", appendFrame(nil, finalBit|packed|opText, deflated(16<<20)), []int{1009, 1002}},
		{"no deflate", appendFrame(nil, finalBit|packed|opText, []byte("\xff\xff\xff\xff\xff")), []int{1002, 1007}},
		{"a close without a sense", appendFrame(nil, finalBit|opClose, []byte{0, 1}), []int{1002, 1005, 1006}},
		{"ten that are no JSON", bytes.Repeat(appendFrame(nil, finalBit|opText, []byte(`{"type`)), 10), []int{4505}},
		{"ten that are too deep", bytes.Repeat(appendFrame(nil, finalBit|opText, []byte(`{"type":"x","payload":`+strings.Repeat("[", 5000))), 10), []int{4505}},
		{"ten that are no UTF-8", bytes.Repeat(appendFrame(nil, finalBit|opText, []byte("{\"type\":\"x\xff\"}")), 10), []int{4505, 1007}},
	} {
		v := visit{from: documentation(n), header: map[string]string{"Sec-WebSocket-Extensions": "permessage-deflate; server_no_context_takeover; client_no_context_takeover"}}
		p, err := a.knock(v, nil)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		before := read(a.tally, func(t *tally) map[int]int64 { return maps.Clone(t.closed) })
		p.write(tt.raw)
		a.holds(p.awaitEnd(t.Context(), patience), "%s: it is not closed", tt.name)
		after := read(a.tally, func(t *tally) map[int]int64 { return maps.Clone(t.closed) })
		ok := slices.ContainsFunc(tt.want, func(code int) bool { return after[code] > before[code] })
		a.holds(ok, "%s: closed with %v, before it were %v; want one more of %v", tt.name, after, before, tt.want)
	}
	a.end()
}

// Thousands connect, from many addresses, and never read.
func TestThousandsThatNeverRead(t *testing.T) {
	a := begin(t, setup{name: "connections that never read, in one room"})
	n := int(lasts(500, 5000))
	var all sync.WaitGroup
	for worker := range 20 {
		all.Go(func() {
			for i := worker; i < n; i += 20 {
				_, err := a.knock(visit{from: fmt.Sprintf("198.51.100.%d", 1+i%250), query: "room=silent", deaf: true}, nil)
				_ = err // counted
			}
		})
	}
	all.Wait()
	a.flood(flood{guests: 2, rooms: func(int) []string { return []string{"silent"} }, rate: 10, from: documentation, back: 200 * time.Millisecond,
		event: func(room string, n int) string { return message(room, n, 200) }}, lasts(2*time.Second, 30*time.Second))
	a.holds(read(a.tally, func(t *tally) int64 { return t.opened }) >= int64(n), "only %s", a.got())
	a.end()
}
