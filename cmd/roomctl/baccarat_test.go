package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/verify"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// TestBaccaratVerify has a full table play a shoe to its end, with more steps than
// are kept of a room, and checks it and the next one over HTTP; and again
// behind a proxy that changes what the log says.
func TestBaccaratVerify(t *testing.T) {
	_, address := startNode(t, "ws", "--tables", "vip-*=baccarat", "--bet-time", "50ms", "--deal-time", "10ms")
	env := []string{"ROOMCTL_URL=" + address, apiKeyVariable + "=" + apiKey}
	room := "vip-1"
	for n := 2; !playShoe(t, address, room); n++ {
		room = fmt.Sprint("vip-", n)
	}
	out, err := call(t, env, "baccarat", "verify", room, "--shoe", "1")
	if err != nil || !regexp.MustCompile(`^shoe 1: ok; \d+ rounds, 0 voided, [34]\d\d cards, \d+ bets settled; its cards are those of its seed\n  big road; P player.*\n  [PBT]`).MatchString(out) {
		t.Errorf("%v:\n%s", err, out)
	}
	out, err = call(t, env, "baccarat", "verify", room)
	if err != nil || !strings.Contains(out, "shoe 2: ok; ") || !strings.Contains(out, "its seed is told when it ends") {
		t.Errorf("%v:\n%s", err, out)
	}
	for what, args := range map[string][]string{"does not have it": {room, "--shoe", "99"}, "is it a baccarat table": {"general"}, "counted from 1": {room, "--shoe", "-1"}} {
		if _, err := call(t, env, append([]string{"baccarat", "verify"}, args...)...); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v: %v", args, err)
		}
	}
	late := []string{"ROOMCTL_URL=" + liar(t, address, `"shoe_started","payload":\{"shoe":1,`, `"x","payload":{"shoe":1,`), apiKeyVariable + "=" + apiKey}
	out, err = call(t, late, "baccarat", "verify", room, "--shoe", "1")
	if exitStatus(err) != 1 || !strings.Contains(err.Error(), "only what is left of one was checked") ||
		!regexp.MustCompile(`^shoe 1: ok from round 1 on; .* its cards are those of its seed\n  not checked, .* and that the seed was fixed before the first card\n  big road; P player.*\n  [PBT]`).MatchString(out) {
		t.Errorf("%v:\n%s", err, out)
	}
	out, err = call(t, late, "baccarat", "verify", room)
	if err != nil || !strings.Contains(out, "shoe 1: ok from round 1 on; ") || !strings.Contains(out, "shoe 2: ok; ") {
		t.Errorf("%v:\n%s", err, out)
	}
	for _, change := range [][2]string{{`"seed":"[0-9a-f]{4}`, `"seed":"beef`}, {`"commit":"[0-9a-f]{4}`, `"commit":"beef`}, {`,"(commit|seed)":"[0-9a-f]{64}"`, ""}, {`"winner":"banker"`, `"winner":"player"`}, {`"on":"tie","amount":20,"paid":0`, `"on":"tie","amount":20,"paid":20`}, {`"card":"2H"`, `"card":"2S"`}} {
		env := []string{"ROOMCTL_URL=" + liar(t, address, change[0], change[1]), apiKeyVariable + "=" + apiKey}
		out, err := call(t, env, "baccarat", "verify", room, "--shoe", "1")
		if !errors.Is(err, verify.ErrBroken) || exitStatus(err) != 2 || !regexp.MustCompile(`^shoe 1: \d+ faults`).MatchString(out) {
			t.Errorf("%s: %v\n%s", change[1], err, out)
		}
	}
}

// playShoe has eight players bet in every round of a table, each several times, until
// the first shoe is over and lies further back than a room would keep. It reports
// false if hardly any bet came in time.
func playShoe(t *testing.T, address, room string) bool {
	t.Helper()
	const players, leastSteps, leastRounds = 8, 1500, 10
	heard := make(chan wire.Event, 100_000)
	var all []*client.Client
	for i := range players {
		token := tokenOf(t, fmt.Sprint("player-", i))
		cfg := client.Config{URL: address, Room: room, Token: func(context.Context) (string, error) { return token, nil }}
		if i == 0 {
			cfg.OnEvent = func(ev wire.Event) { heard <- ev }
		}
		c, err := client.Dial(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		all = append(all, c)
	}
	bets, steps, over := 0, 0, false // bets in so many rounds
	for !over || steps < leastSteps {
		round := 0
		for waits := true; waits || len(heard) > 0; waits = false { // the newest round
			ev := <-heard
			if ev.Seq != 0 {
				steps++
			}
			list, err := wire.EachOf(ev)
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range list {
				var p struct{ Round int }
				if one.Type == "round_opened" && json.Unmarshal(one.Payload, &p) == nil {
					round = p.Round
				}
				over = over || one.Type == "shoe_ended"
			}
		}
		if round > 0 && !over && placeBets(t, all, room, round) > 0 {
			bets++
		}
		if over && bets < leastRounds {
			return false
		}
	}
	return true
}

// placeBets has each player bet, take it back, and bet again. It returns how many
// bets on tie came in time.
func placeBets(t *testing.T, all []*client.Client, room string, round int) (ties int) {
	t.Helper()
	for _, c := range all {
		for _, on := range []string{"player", "", "tie", "banker_pair"} {
			typ, p := "place_bet", fmt.Sprintf(`{"round":%d,"on":%q,"amount":20}`, round, on)
			if on == "" {
				typ = "clear_bets"
			}
			switch _, err := c.Publish(t.Context(), wire.Room(room), typ, json.RawMessage(p)); {
			case err == nil && on == "tie":
				ties++
			case err != nil && wire.AsError(err).Code != wire.Refused: // it came too late
				t.Fatal(err)
			}
		}
	}
	return ties
}

// liar is a proxy that changes what a server answers.
func liar(t *testing.T, address, pattern, other string) string {
	target, err := url.Parse(strings.Replace(strings.TrimSuffix(address, "/ws"), "ws://", "http://", 1))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		body = regexp.MustCompile(pattern).ReplaceAll(body, []byte(other))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", fmt.Sprint(len(body)))
		return nil
	}
	srv := httptest.NewServer(proxy)
	t.Cleanup(srv.Close)
	return strings.Replace(srv.URL, "http://", "ws://", 1) + "/ws"
}

// TestNoRoad: of a shoe without a round there is nothing to draw.
func TestNoRoad(t *testing.T) {
	if rows := road(nil); len(rows) > 0 {
		t.Errorf("drawn are %q", rows)
	}
}

// TestRemarks: what is no fault is told all the same, and what was not checked.
func TestRemarks(t *testing.T) {
	for want, r := range map[string]baccarat.ShoeReport{
		"": {},
		"it ended early, before its last round: a service sent new_shoe":                                                                                                         {Early: true},
		"it ended early, before its last round: a service sent new_shoe, or the table was run with another --dealer":                                                             {Early: true, OtherDealer: true},
		"in 2 rounds a step with bets was stored after betting was to end; it was decided before if the log took nothing meanwhile":                                              {Late: 2},
		"3 stacks of guests were forgotten; not checked: that they had gone, and for the longest":                                                                                {Forgotten: 3, FromFirst: true},
		"3 stacks of guests were forgotten; not checked: that the table was full, as the log does not reach back to its first shoe, and that they had gone, and for the longest": {Forgotten: 3},
	} {
		if got := strings.Join(remarks(&r), "\n"); got != want {
			t.Errorf("%+v: %q, want %q", r, got, want)
		}
	}
}
