package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// network sends each address to a peer of its own, or nowhere.
type network struct {
	peers map[string]*peer // by host; absent: refused

	mu     sync.Mutex
	dialed []string
}

func (n *network) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.dialed = append(n.dialed, host)
	n.mu.Unlock()
	if p := n.peers[host]; p != nil {
		return p.dial(ctx, kind, address)
	}
	return nil, errors.New("connection refused")
}

func (n *network) config(rec *recorder, hosts ...string) Config {
	cfg := rec.config(nil)
	cfg.Token = func(context.Context) (string, error) { return "jwt", nil } // no login beside the dials
	cfg.Dialer = &websocket.Dialer{NetDialContext: n.dial}
	cfg.URL = "ws://" + hosts[0] + "/ws"
	for _, host := range hosts[1:] {
		cfg.Others = append(cfg.Others, "ws://"+host+"/ws")
	}
	return cfg
}

func TestALostNodeIsLeftForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, rec := newPeer(t), newPeer(t), &recorder{}
		n := &network{peers: map[string]*peer{"a.invalid": a, "b.invalid": b}}
		c, s := start(t, a, n.config(rec, "a.invalid", "dead.invalid", "b.invalid"))
		s.message("general", 12)
		synctest.Wait()
		s.conn.Close()

		s = b.open()
		if want := "@me:e:0,general:e:12"; s.query.Get("resume") != want {
			t.Errorf("resume=%q on the other node, want %q", s.query.Get("resume"), want)
		}
		end := s.watch()
		s.closeWith(wire.CloseDraining)
		<-end
		s = a.open() // round and round
		if want := []string{"a.invalid", "dead.invalid", "b.invalid", "a.invalid"}; !slices.Equal(n.dialed, want) {
			t.Errorf("dialed %q, want %q", n.dialed, want)
		}
		finish(t, c, s)
	})
}

// Who asks for another connection gets it at the next address, and resumes.
func TestReconnectWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, rec := newPeer(t), newPeer(t), &recorder{}
		n := &network{peers: map[string]*peer{"a.invalid": a, "b.invalid": b}}
		c, s := start(t, a, n.config(rec, "a.invalid", "b.invalid"))
		s.message("general", 12)
		synctest.Wait()
		c.Reconnect()
		c.Reconnect() // there is none any more

		s = b.open()
		if want := "@me:e:0,general:e:12"; s.query.Get("resume") != want {
			t.Errorf("resume=%q at the next address, want %q", s.query.Get("resume"), want)
		}
		finish(t, c, s)
	})
}

func TestDialTriesEveryAddressOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, rec := &network{}, &recorder{}
		cfg := n.config(rec, "a.invalid", "b.invalid")
		if _, err := Dial(t.Context(), cfg); err == nil {
			t.Error("connected to nobody")
		}
		if want := []string{"a.invalid", "b.invalid"}; !slices.Equal(n.dialed, want) {
			t.Errorf("dialed %q, want %q", n.dialed, want)
		}
		cfg.Others = []string{"http://b.invalid/"}
		if _, err := Dial(t.Context(), cfg); err == nil {
			t.Error("an address that is none was taken")
		}
	})
}

func TestRepeatsAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, rec := newPeer(t), &recorder{}
		var repeats []string
		cfg := rec.config(p)
		cfg.OnRepeat = func(ev wire.Event) { repeats = append(repeats, fmt.Sprintf("%s %d", ev.Room, ev.Seq)) }
		c, s := start(t, p, cfg)
		for _, seq := range []uint64{11, 13, 13, 12, 14} {
			s.message("general", seq)
		}
		synctest.Wait()
		if want := []string{"general 13", "general 12"}; !slices.Equal(repeats, want) {
			t.Errorf("repeats %q, want %q", repeats, want)
		}
		want := []string{"new_message general 11", "new_message general 13", "new_message general 14"}
		if !slices.Equal(rec.logged(), want) {
			t.Errorf("events %q, want %q", rec.logged(), want)
		}
		finish(t, c, s)
	})
}
