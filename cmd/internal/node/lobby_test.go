package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// lobby is what a member is shown: name:count and the label of each room.
func (m *member) lobby(t *testing.T) string {
	t.Helper()
	page, err := m.Rooms(t.Context(), wire.GetRooms{})
	if err != nil {
		t.Fatal(err)
	}
	list := make([]string, len(page.List))
	for i, r := range page.List {
		list[i] = fmt.Sprintf("%s:%d%s", r.Name, r.Count, r.Label)
	}
	return strings.Join(list, " ")
}

// TestLobbyOfTwoNodes: at either node everybody is shown the rooms of both that
// they may enter, with the labels that were set over the API and by a service.
func TestLobbyOfTwoNodes(t *testing.T) {
	cfg := testConfig()
	cfg.JWTKey, cfg.APIKey, cfg.AllowGuests, cfg.NodeName = secret, apiKey, yes(), "one"
	cfg.GuestRooms = []string{"general", "table-*"}
	one := serve(t, cfg)
	other := serve(t, besideTo(t, one, "two"))
	user := func(s *server, uid string, rooms ...string) *member {
		t.Helper()
		return s.dial(t, "", sign(t, auth.Claims{UID: uid, Rooms: rooms, Expires: time.Now().Add(time.Hour)}))
	}
	ann, bob := user(one, "ann"), user(other, "bob", "general", "vip")
	guest := other.dial(t, "Gus", "")
	for m, room := range map[*member]string{ann: "table-1", bob: "vip"} {
		if _, err := m.Join(t.Context(), room, client.JoinOptions{}); err != nil {
			t.Fatal(err)
		}
	}

	got := one.want(t, 200, "PUT", "/api/rooms/vip/label", ` {"title": "VIP"} `, withKey...).body
	if got != "{\"label\":{\"title\":\"VIP\"}}\n" {
		t.Errorf("PUT is answered %s", got)
	}
	nc := natsTo(t, one)
	answer, err := nc.Request("room.table-1.label", []byte(`"betting"`), time.Minute)
	if err != nil || !strings.Contains(string(answer.Data), `"ack"`) {
		t.Fatalf("a service is answered %v, %v", answer, err)
	}
	for who, want := range map[*member]string{
		ann:   `table-1:1"betting" vip:1{"title":"VIP"} general:3`,
		bob:   `vip:1{"title":"VIP"} general:3`,
		guest: `table-1:1"betting" general:3`,
	} {
		shown := ""
		defer func() {
			if t.Failed() {
				t.Logf("%s was shown %s last, want %s", who.Welcome().UID, shown, want)
			}
		}()
		eventually(t, "the lobby as it should be", func() bool { shown = who.lobby(t); return shown == want })
	}

	if body := other.want(t, 200, "GET", "/api/rooms", "", withKey...).body; !strings.Contains(body, `"name":"vip"`) || !strings.Contains(body, `"label":{"title":"VIP"}`) || strings.Contains(body, `"@`) {
		t.Errorf("the API lists %s", body)
	}
	one.want(t, 200, "DELETE", "/api/rooms/vip/label", "", withKey...)
	eventually(t, "the label is gone", func() bool { return bob.lobby(t) == "general:3 vip:1" })

	one.want(t, 401, "PUT", "/api/rooms/vip/label", `1`)
	one.want(t, 400, "PUT", "/api/rooms/@ann/label", `1`, withKey...)
	one.want(t, 400, "PUT", "/api/rooms/vip/label", `{`, withKey...)
	one.want(t, 400, "PUT", "/api/rooms/vip/label", `"`+strings.Repeat("x", wire.MaxLabelBytes)+`"`, withKey...)
	one.want(t, 413, "PUT", "/api/rooms/vip/label", `"`+strings.Repeat("x", 8*wire.MaxLabelBytes)+`"`, withKey...)
	one.want(t, 405, "POST", "/api/rooms/vip/label", `1`, withKey...)
}
