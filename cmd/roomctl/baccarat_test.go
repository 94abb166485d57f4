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
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// TestBaccaratVerify has a table play a shoe, with a player who bets in every
// round, and checks it over HTTP; and again behind a proxy that changes what the
// log says.
func TestBaccaratVerify(t *testing.T) {
	_, address := startNode(t, "ws", "--tables", "vip-*=baccarat", "--bet-time", "20ms", "--deal-time", "10ms")
	env := []string{"ROOMCTL_URL=" + address, apiKeyVariable + "=" + apiKey}
	rounds, ended := make(chan int, 1000), make(chan struct{}, 100)
	hear := func(ev wire.Event) {
		list, err := unpacked([]wire.Event{ev})
		if err != nil {
			t.Error(err)
		}
		for _, one := range list {
			var p struct{ Round int }
			switch {
			case one.Type == "round_opened" && json.Unmarshal(one.Payload, &p) == nil:
				rounds <- p.Round
			case one.Type == "shoe_ended":
				ended <- struct{}{}
			}
		}
	}
	c, err := client.Dial(t.Context(), client.Config{URL: address, Room: "vip-1", Token: func(context.Context) (string, error) { return tokenOf(t, "ann"), nil }, OnEvent: hear})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	placed := 0
	for over := false; !over; {
		select {
		case round := <-rounds:
			for _, on := range []string{"player", "tie", "banker_pair"} {
				_, err := c.Publish(t.Context(), "vip-1", "place_bet", json.RawMessage(fmt.Sprintf(`{"round":%d,"on":%q,"amount":20}`, round, on)))
				if err == nil {
					placed++
				} else if wire.AsError(err).Code != wire.Refused { // it came too late
					t.Fatal(err)
				}
			}
		case <-ended:
			over = true
		}
	}
	if placed == 0 {
		t.Fatal("no bet came in time")
	}
	out, err := call(t, env, "baccarat", "verify", "vip-1", "--shoe", "1")
	if err != nil || !regexp.MustCompile(`^shoe 1: ok; \d+ rounds, 0 voided, [34]\d\d cards, \d+ bets settled; its cards are those of its seed\n  [PB]`).MatchString(out) {
		t.Errorf("%v:\n%s", err, out)
	}
	out, err = call(t, env, "baccarat", "verify", "vip-1")
	if err != nil || !strings.Contains(out, "shoe 2: ok; ") || !strings.Contains(out, "its seed is told when it ends") {
		t.Errorf("%v:\n%s", err, out)
	}
	for what, args := range map[string][]string{"--shoe 99": {"vip-1", "--shoe", "99"}, "is it a baccarat table": {"general"}, "counted from 1": {"vip-1", "--shoe", "-1"}} {
		if _, err := call(t, env, append([]string{"baccarat", "verify"}, args...)...); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v: %v", args, err)
		}
	}
	for _, change := range [][2]string{{`"seed":"[0-9a-f]{4}`, `"seed":"beef`}, {`"commit":"[0-9a-f]{4}`, `"commit":"beef`}, {`"winner":"banker"`, `"winner":"player"`}, {`"on":"tie","amount":20,"paid":0`, `"on":"tie","amount":20,"paid":20`}, {`"card":"2H"`, `"card":"2S"`}} {
		env := []string{"ROOMCTL_URL=" + liar(t, address, change[0], change[1]), apiKeyVariable + "=" + apiKey}
		out, err := call(t, env, "baccarat", "verify", "vip-1", "--shoe", "1")
		if !errors.Is(err, verify.ErrBroken) || exitStatus(err) != 2 || !regexp.MustCompile(`^shoe 1: \d+ faults`).MatchString(out) {
			t.Errorf("%s: %v\n%s", change[1], err, out)
		}
	}
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
