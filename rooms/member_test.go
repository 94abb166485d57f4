package rooms_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// member records what a room gives it: the seam of the package.
type member struct {
	id   string
	user wire.User

	mu      sync.Mutex
	got     []wire.Event
	closed  wire.CloseCode
	left    []string
	refuse  bool          // every Deliver from now on
	panics  int           // so many calls of Deliver
	gate    sync.Mutex    // Deliver waits for it
	waiting atomic.Int32  // calls of Deliver that do
	changed chan struct{} // closed and replaced with every change
}

var errGone = errors.New("the member is gone")

func newMember(id string) *member {
	return &member{id: id, user: wire.User{UID: "u-" + id, Username: id}, changed: make(chan struct{})}
}

func (m *member) ID() string      { return m.id }
func (m *member) User() wire.User { return m.user }

func (m *member) Deliver(b *rooms.Burst) error {
	m.waiting.Add(1)
	m.gate.Lock()
	m.waiting.Add(-1)
	defer m.gate.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.panics > 0 {
		m.panics--
		panic("a member that panics")
	}
	if m.refuse {
		return errGone
	}
	for _, frames := range b.Frames {
		for len(frames) > 0 {
			var body []byte
			body, frames = unframe(frames)
			ev, err := wire.DecodeServer(body)
			if err != nil {
				panic(fmt.Sprintf("a frame holds %q: %v", body, err))
			}
			ev.Payload = slices.Clone(ev.Payload)
			m.got = append(m.got, ev)
		}
	}
	m.tell()
	return nil
}

// hold makes Deliver wait, which a real member must never do: the room stands
// still and its mailbox fills.
func (m *member) hold() (release func()) {
	m.gate.Lock()
	return m.gate.Unlock
}

func (m *member) Left(room wire.Room) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left = append(m.left, string(room))
	m.tell()
}

func (m *member) Close(code wire.CloseCode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = code
	m.refuse = true
	m.tell()
}

// tell needs mu.
func (m *member) tell() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// unframe reads one unmasked frame.
func unframe(b []byte) (payload, rest []byte) {
	n, head := int(b[1]), 2
	switch n {
	case 126:
		n, head = int(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		n, head = int(binary.BigEndian.Uint64(b[2:])), 10
	}
	return b[head : head+n], b[head+n:]
}

// events returns what came so far, of these types if any are given.
func (m *member) events(types ...string) []wire.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.eventsLocked(types)
}

func (m *member) eventsLocked(types []string) []wire.Event {
	var list []wire.Event
	for _, ev := range m.got {
		if len(types) == 0 || slices.Contains(types, ev.Type) {
			list = append(list, ev)
		}
	}
	return list
}

// notes are the payloads of the notes that came, in order.
func (m *member) notes() []string {
	var list []string
	for _, ev := range m.events("note") {
		list = append(list, string(ev.Payload))
	}
	return list
}

// await waits until ok, which is called with mu held.
func (m *member) await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.After(patience)
	for {
		m.mu.Lock()
		changed := m.changed
		done := ok()
		m.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-end:
			t.Fatalf("%s never got %s; it has %d events, the last %v", m.id, what, len(m.events()), last(m.events()))
		}
	}
}

func last(list []wire.Event) wire.Event {
	if len(list) == 0 {
		return wire.Event{}
	}
	return list[len(list)-1]
}

// awaitEvents waits for the nth event of a type and returns all of that type.
func (m *member) awaitEvents(t testing.TB, n int, typ string) []wire.Event {
	t.Helper()
	m.await(t, fmt.Sprintf("%d of %s", n, typ), func() bool { return len(m.eventsLocked([]string{typ})) >= n })
	return m.events(typ)
}

// awaitSeq waits for the event with that sequence, or a later one.
func (m *member) awaitSeq(t testing.TB, seq uint64) {
	t.Helper()
	m.await(t, fmt.Sprintf("seq %d", seq), func() bool {
		for i := len(m.got) - 1; i >= 0; i-- {
			if m.got[i].Seq >= seq {
				return true
			}
		}
		return false
	})
}

// seqs are the sequences of the logged events that came, in order.
func (m *member) seqs() []uint64 {
	var list []uint64
	for _, ev := range m.events() {
		if ev.Seq != 0 {
			list = append(list, ev.Seq)
		}
	}
	return list
}

// joined is the nth room_joined, from 0.
func (m *member) joined(t testing.TB, n int) wire.RoomJoined {
	t.Helper()
	return decode[wire.RoomJoined](t, m.awaitEvents(t, n+1, wire.TypeRoomJoined)[n].Payload)
}

func decode[T any](t testing.TB, raw json.RawMessage) (v T) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("payload %s: %v", raw, err)
	}
	return v
}

// wantSeqs checks that a member got exactly these logged events, in order.
func wantSeqs(t testing.TB, m *member, want []uint64) {
	t.Helper()
	if got := m.seqs(); !slices.Equal(got, want) {
		t.Errorf("%s got %d events, want %d: %s", m.id, len(got), len(want), firstDifference(got, want))
	}
}

func firstDifference(got, want []uint64) string {
	for i := range max(len(got), len(want)) {
		var g, w uint64
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			return fmt.Sprintf("event %d is %d, want %d", i, g, w)
		}
	}
	return "no difference"
}
