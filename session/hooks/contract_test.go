package hooks

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// The blocks of the contract are asked, field by field, and every answer there
// is one.
func TestContract(t *testing.T) {
	text, err := os.ReadFile("../../rooms/wire/README.md")
	must(t, err)
	block := regexp.MustCompile("(?s)```hook\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("the contract has no block of hooks")
	}
	b := newBackend(t)
	var asked map[string]any
	answer := ""
	say := func(q map[string]any) string { asked = q; return answer }
	for _, subject := range []string{LoginSubject, JoinSubject, PublishSubject} {
		b.serve(t, subject, say)
	}
	h := b.hooks(t, Config{Login: OverNATS, Join: OverNATS, Publish: OverNATS, Headers: []string{"Cookie"}, Node: "n1"})
	ask := map[string]func() error{
		"login": func() error {
			_, err := h.Login(handshake("room=general", "Cookie", "sid=1", "Origin", "http://chat.example.com"), "")
			return err
		},
		"join": func() error {
			defer h.Kicked("general", "42")
			return h.Join(t.Context(), session.JoinRequest{Who: auth.Identity{UID: "42"}, Room: "general", Resume: true})
		},
		"publish": func() error {
			_, err := h.Publish(t.Context(), session.PublishRequest{
				Who: auth.Identity{UID: "42"}, Room: "general", ID: "c-17", Event: []byte(`{"type":"new_message","payload":{"message":"hi","from":"Alice"}}`),
			})()
			return err
		},
	}
	seen := 0
	for line := range strings.Lines(string(block[1])) {
		hook, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if wanted, is := strings.CutPrefix(rest, "→ "); is {
			var want map[string]any
			must(t, json.Unmarshal([]byte(wanted), &want))
			answer = `{"ok":true,"guest":true}`
			must(t, ask[hook]())
			for _, differs := range []string{"id", "ip", "origin"} {
				if _, there := want[differs]; there && asked[differs] != "" && asked[differs] != nil {
					want[differs] = asked[differs]
				}
			}
			if got := fmt.Sprint(asked); got != fmt.Sprint(want) {
				t.Errorf("%s asks %s, the contract says %s", hook, got, fmt.Sprint(want))
			}
			seen++
			continue
		}
		answer = strings.TrimPrefix(rest, "← ")
		err := ask[hook]()
		refuses := strings.Contains(answer, `"error"`)
		if refuses != (err != nil) || err != nil && wire.AsError(err).Code == wire.Unavailable {
			t.Errorf("%s, answered %s: %v", hook, answer, err)
		}
		seen++
	}
	if seen < 13 {
		t.Errorf("only %d lines were tried", seen)
	}
	if sig := regexp.MustCompile("`(t=1800000000,v1=[0-9a-f]+)`").FindSubmatch(text); sig == nil || string(sig[1]) != signed {
		t.Errorf("the signature of the contract is %q, want %q", sig, signed)
	}
}
