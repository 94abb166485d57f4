//go:build linux

package hostile

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// fill lets a service put events of size bytes into each room, and returns when
// all are stored.
func (a *attack) fill(nc *nats.Conn, rooms []string, each, size int) {
	a.t.Helper()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(500))
	if err != nil {
		a.t.Fatal(err)
	}
	text := strings.Repeat("x", size)
	for n := range each {
		for _, room := range rooms {
			if _, err := js.PublishAsync(wire.EventSubject(wire.Room(room)), fmt.Appendf(nil, `{"type":"new_message","payload":{"message":"%s","from":"service","n":%d}}`, text, n),
				jetstream.WithStallWait(patience)); err != nil {
				a.t.Fatal(err)
			}
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(time.Minute):
		a.t.Fatal("the log does not store what a service sends")
	}
}

// kept is how many events the history of a room shows the operator, and the
// bytes of the answers.
func (a *attack) kept(room string) (events, size int) {
	a.t.Helper()
	before := ""
	for {
		text, err := a.server.get(a.t.Context(), "/api/rooms/"+url.PathEscape(room)+"/events?limit=100"+before)
		if err != nil {
			a.t.Fatalf("read the history of %s: %v", room, err)
		}
		var page wire.History
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			a.t.Fatalf("the history of %s: %v", room, err)
		}
		events += len(page.Events)
		size += len(text)
		if !page.More || len(page.Events) == 0 {
			return events, size
		}
		var oldest wire.Event
		if err := json.Unmarshal(page.Events[0], &oldest); err != nil {
			a.t.Fatalf("the history of %s: %v", room, err)
		}
		before = fmt.Sprint("&before=", oldest.Seq)
	}
}

// epoch is of a room's log.
func (a *attack) epoch(room string) string {
	a.t.Helper()
	joined := make(chan string, 1)
	p, err := a.knock(visit{query: "room=" + url.QueryEscape(room)}, func(text []byte) {
		var ev wire.Event
		var in wire.RoomJoined
		if json.Unmarshal(text, &ev) == nil && ev.Type == wire.TypeRoomJoined && ev.Room == room && json.Unmarshal(ev.Payload, &in) == nil {
			select {
			case joined <- in.Epoch:
			default:
			}
		}
	})
	if err != nil {
		a.t.Fatal(err)
	}
	defer p.leave()
	select {
	case epoch := <-joined:
		return epoch
	case <-time.After(patience):
		a.t.Fatalf("%s is not joined", room)
		return ""
	}
}

// asks is a request of the operator that must be answered so.
func (a *attack) asks(method, path, body string, header map[string]string, want ...int) answer {
	a.t.Helper()
	got, err := a.server.call(a.t.Context(), method, path, body, header)
	if err != nil {
		a.wrong("%s %s: %v", method, path, err)
		return got
	}
	for _, status := range want {
		if got.status == status {
			return got
		}
	}
	a.wrong("%s %s with %v: %d %s, want %v", method, path, header, got.status, start(got.body), want)
	return got
}

// answered is nil when readiness, the API and NATS answer.
func (a *attack) answered(ctx context.Context) error {
	for _, path := range []string{"/readyz", "/api/rooms"} {
		if _, err := a.server.get(ctx, path); err != nil {
			return err
		}
	}
	nc, err := nats.Connect("nats://"+a.server.nats, append(a.server.password(), nats.Timeout(5*time.Second))...)
	if err != nil {
		return fmt.Errorf("NATS: %w", err)
	}
	nc.Close()
	return nil
}

// inLog is how many bytes all streams hold.
func (a *attack) inLog(nc *nats.Conn) (total int) {
	a.t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		a.t.Fatal(err)
	}
	list := js.ListStreams(a.t.Context())
	for info := range list.Info() {
		total += int(info.State.Bytes)
	}
	if err := list.Err(); err != nil {
		a.t.Fatalf("ask for the streams: %v", err)
	}
	return total
}

// start is the beginning of a text.
func start(text string) string {
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	return strings.TrimSpace(text)
}
