package client_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// forge shows a room's members an event that is not in its log.
func (s *server) forge(room, text string, seq, prev uint64) {
	s.t.Helper()
	conn, err := s.nats.Connect("outsider")
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	msg := nats.NewMsg("room." + room + ".log")
	msg.Data = wire.AppendEvent(nil, wire.Event{Type: wire.TypeNewMessage, Payload: wire.MarshalPayload(wire.Message{Message: text})})
	for name, value := range map[string]string{
		"Nats-Sequence": strconv.FormatUint(seq, 10), "Nats-Last-Sequence": strconv.FormatUint(prev, 10),
		"Nats-Time-Stamp": time.Now().Format(time.RFC3339Nano),
	} {
		msg.Header.Set(name, value)
	}
	if err := conn.PublishMsg(msg); err != nil {
		s.t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		s.t.Fatal(err)
	}
}

// One forged copy puts a member far ahead of the log. When the server has
// found out and told it, it hears what comes, on this connection and the next.
func TestAForgedCopyDoesNotMakeUsDeaf(t *testing.T) {
	s := newServer(t)
	heard, gaps := newLog(), make(chan client.Gap, 16)
	listener := s.dial("listener", client.Config{Room: "x", OnEvent: heard.event, OnGap: func(g client.Gap) { gaps <- g }})
	talker := s.dial("talker", client.Config{Room: "x"})
	say := func(text string) uint64 {
		ack, err := talker.Publish(t.Context(), "x", wire.TypeSendMessage, wire.SendMessage{Message: text})
		if err != nil {
			t.Fatal(err)
		}
		return ack.Seq
	}
	last := say("one")
	heard.wait(t, 1)
	s.forge("x", "forged", last+1e15, last)
	heard.wait(t, 2)
	say("lost, perhaps") // the room sees that its log is not where it believed

	gap := <-gaps
	if gap.Room != "x" || gap.From.Seq != last+1e15 || gap.To.Seq >= gap.From.Seq {
		t.Errorf("gap %+v", gap)
	}
	say("two")
	heard.waitFor(t, "two")
	s.manager.Load().CloseUserHere("listener", wire.CloseRestart)
	newest := say("three")
	texts := heard.waitFor(t, "three")
	texts = slices.DeleteFunc(texts, func(text string) bool { return text == "lost, perhaps" })
	if want := []string{"one", "forged", "two", "three"}; !slices.Equal(texts, want) {
		t.Errorf("heard %q, want %q", texts, want)
	}
	if at, _ := listener.Position("x"); at.Seq != newest {
		t.Errorf("position %d, want %d", at.Seq, newest)
	}
	if len(gaps) > 0 {
		t.Errorf("another gap: %+v", <-gaps)
	}
}
