package baccarat_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// judged is what a checker says of a log whose lines are time, type and payload; its
// steps are the lines.
func judged(t *testing.T, log string) []*baccarat.ShoeReport {
	t.Helper()
	c := baccarat.NewChecker(isGuest)
	for i, line := range strings.Split(strings.TrimSpace(log), "\n") {
		at, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		typ, payload, _ := strings.Cut(rest, " ")
		ms, err := strconv.ParseInt(at, 10, 64)
		if err != nil || !json.Valid([]byte(payload)) {
			t.Fatalf("line %d: %q", i, line)
		}
		c.Take(uint64(i+1), ms, typ, json.RawMessage(payload))
	}
	return c.Reports()
}

// wantFault is a log with one fault, or with none for "".
func wantFault(t *testing.T, what string, reports []*baccarat.ShoeReport, fault string) {
	t.Helper()
	switch list := faults(reports); {
	case fault == "" && len(list) > 0:
		t.Errorf("%s: %q, want no fault", what, list)
	case fault != "" && (len(list) == 0 || !regexp.MustCompile(fault).MatchString(list[0])):
		t.Errorf("%s: %q, want %s", what, list, fault)
	}
}

const dealersShoe = `1000 shoe_started {"shoe":1,"decks":8,"cut":16}
1000 round_opened {"round":1,"shoe":1,"closes_at":16000}
`

// TestForgottenByTheRules: a stack that is forgotten becomes 10,000 again, so only
// that of a guest is, at a full table, for a newcomer.
func TestForgottenByTheRules(t *testing.T) {
	bet := func(uid string, stack int) string {
		return fmt.Sprintf("1000 bet_placed {\"round\":1,\"uid\":%q,\"on\":\"tie\",\"amount\":20,\"stack\":%d}\n", uid, stack)
	}
	forgotten := func(uids ...string) string {
		list, err := json.Marshal(uids)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("1000 forgotten {\"uids\":%s}\n", list)
	}
	back := `1000 bets_cleared {"round":1,"uid":"UID","bets":{"tie":20},"stack":10000}` + "\n"
	sat := func(uid string) string { return bet(uid, 9980) + strings.ReplaceAll(back, "UID", uid) }
	var full strings.Builder
	full.WriteString(dealersShoe)
	for i := range baccarat.MaxStacks {
		full.WriteString(sat(fmt.Sprint("guest-", i)))
	}
	full.WriteString(bet("guest-7", 9980))
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprint("guest-", 100+i))
	}
	for _, c := range []struct{ what, log, fault string }{
		{"a user with a token", dealersShoe + sat("alice") + forgotten("alice") + bet("bob", 9980), "alice is forgotten, who is no guest"},
		{"a table that is not full", dealersShoe + sat("guest-a") + forgotten("guest-a") + bet("bob", 9980), "1 stacks are kept, of 10000"},
		{"a guest with bets", full.String() + forgotten("guest-7") + bet("bob", 9980), "guest-7 is forgotten and has bets"},
		{"a guest who never bet", full.String() + forgotten("guest-x") + bet("bob", 9980), "guest-x is forgotten and has no stack"},
		{"a guest twice", full.String() + forgotten("guest-1", "guest-1") + bet("bob", 9980), "guest-1 is forgotten and has no stack"},
		{"more than at once", full.String() + forgotten(many...) + bet("bob", 9980), "101 are forgotten at once"},
		{"nobody", full.String() + forgotten() + bet("bob", 9980), "0 are forgotten at once"},
		{"for nobody", full.String() + forgotten("guest-1") + `1000 betting_closed {"round":1,"totals":{"tie":20}}`, "for nobody new"},
		{"for one who is there", full.String() + forgotten("guest-1") + bet("guest-2", 9980), "for guest-2, whose stack is kept"},
		{"one too many", full.String() + bet("bob", 9980), "10001 stacks are kept"},
		{"by the rules", full.String() + forgotten("guest-1", "guest-2") + bet("bob", 9980) + bet("guest-1", 9980), ""},
	} {
		wantFault(t, c.what, judged(t, c.log), c.fault)
	}
	late := judged(t, `1000 round_opened {"round":9,"shoe":3,"closes_at":16000}`+"\n"+strings.ReplaceAll(forgotten("guest-1")+bet("bob", 9980), `"round":1`, `"round":9`))
	wantFault(t, "whether it was full is not in the log", late, "")
	if late[0].Forgotten != 1 || late[0].FromFirst {
		t.Errorf("%+v, want that one was forgotten, and not that the log is there from the beginning", late[0])
	}
}

// TestWhoDeals: next_at says whether a table deals by itself, whatever is cut out of
// the log elsewhere.
func TestWhoDeals(t *testing.T) {
	auto, live := `,"next_at":17000`, ""
	log := func(commit, closed, first, fourth string) string {
		return fmt.Sprintf(`1000 shoe_started {"shoe":1,"decks":8,"cut":16,"first":"7C","burned":7%s}
1000 round_opened {"round":1,"shoe":1,"closes_at":16000}
16000 betting_closed {"round":1,"totals":{}%s}
17000 card_dealt {"round":1,"to":"player","index":0,"card":"9H"%s}
17000 card_dealt {"round":1,"to":"banker","index":0,"card":"2S"%s}
17000 card_dealt {"round":1,"to":"player","index":1,"card":"KD"%s}
17000 card_dealt {"round":1,"to":"banker","index":1,"card":"3C"%s}
`, commit, closed, first, first, first, fourth)
	}
	commit := `,"commit":"` + strings.Repeat("ab", 32) + `"`
	for _, c := range []struct{ what, log, fault string }{
		{"by itself", log(commit, auto, auto, auto), ""},
		{"a dealer", log("", live, live, auto), ""},
		{"by itself, without commit", log("", auto, auto, auto), "deals by itself"},
		{"a mix", log("", live, auto, auto), "deals by itself"},
		{"the other mix", log(commit, auto, live, auto), "waits for a dealer"},
		{"and the other", log(commit, live, auto, auto), "waits for a dealer"},
		{"a complete round that waits", log("", live, live, live), "waits for a dealer"},
	} {
		wantFault(t, c.what, judged(t, c.log), c.fault)
		if strings.Contains(c.what, "mix") {
			_, late, _ := strings.Cut(c.log, "\n")
			wantFault(t, c.what+", late", judged(t, late), c.fault)
		}
	}
}

// TestCommitAndSeedAreCutOut of a table that deals by itself.
func TestCommitAndSeedAreCutOut(t *testing.T) {
	log := seen(busyGame(t, 2, baccarat.Config{}, 2).log)
	for i, ev := range log {
		var p map[string]json.RawMessage
		if ev.Type != "shoe_started" && ev.Type != "shoe_ended" {
			continue
		}
		if err := json.Unmarshal(ev.Payload, &p); err != nil {
			t.Fatal(err)
		}
		delete(p, "commit")
		delete(p, "seed")
		log[i] = table.Happened(ev.Type, p)
	}
	wantFault(t, "from the beginning", checked(log), "deals by itself")
	wantFault(t, "later", checked(log[slices.IndexFunc(log, func(ev table.Event) bool { return ev.Type == "round_opened" }):]), "the seed is not told")
}

// TestVoidedAtTheBeginning: who dealt a shoe of which only a voided round is left is
// not known before its end.
func TestVoidedAtTheBeginning(t *testing.T) {
	reports := judged(t, `1000 round_opened {"round":9,"shoe":3,"closes_at":16000,"last":true}
2000 round_voided {"round":9,"reason":"x","returned":[],"next_at":7000}
7000 shoe_ended {"shoe":3}
7000 shoe_started {"shoe":4,"decks":8,"cut":16}`)
	wantFault(t, "a dealer's", reports, "")
	if !reports[0].Live || reports[0].Early {
		t.Errorf("%+v", reports[0])
	}
}

// TestShoeEndsEarly: a service may change the shoe, and that is told.
func TestShoeEndsEarly(t *testing.T) {
	log := dealersShoe + `2000 round_voided {"round":1,"reason":"x","returned":[],"next_at":7000}
7000 shoe_ended {"shoe":1}
7000 shoe_started {"shoe":2,"decks":8,"cut":16}`
	reports := judged(t, log)
	wantFault(t, "a new shoe", reports, "")
	if !reports[0].Early || reports[0].OtherDealer {
		t.Errorf("%+v, want that it ended early", reports[0])
	}
	if reports[1].Early {
		t.Errorf("%+v, want that it has not ended", reports[1])
	}
	auto := judged(t, strings.Replace(log, `"shoe":2,"decks":8,"cut":16`, `"shoe":2,"decks":8,"cut":16,"first":"7C","burned":7,"commit":"`+strings.Repeat("ab", 32)+`"`, 1))
	if !auto[0].Early || !auto[0].OtherDealer {
		t.Errorf("%+v, want that it ended early, and another kind followed", auto[0])
	}
	for _, live := range []bool{false, true} {
		reports := checked(seen(busyGame(t, 1, baccarat.Config{Live: live}, 3).log))
		if reports[0].Early || reports[1].Early {
			t.Errorf("live %v: shoes that were played to their end ended early", live)
		}
	}
}

// TestBetsInTime: by the times of the steps bets come before the end of betting, one
// step more at the most, and betting ends then.
func TestBetsInTime(t *testing.T) {
	const (
		bet    = `%d bet_placed {"round":1,"uid":"%s","on":"tie","amount":20,"stack":9980}` + "\n"
		clear  = `%d bets_cleared {"round":1,"uid":"%s","bets":{"tie":20},"stack":10000}` + "\n"
		extend = `%d betting_extended {"round":1,"closes_at":%d}` + "\n"
		closed = `%d betting_closed {"round":1,"totals":{"tie":20}}` + "\n"
	)
	for _, c := range []struct {
		what, log, fault string
		late             int
	}{
		{"in time", fmt.Sprintf(bet+closed, 15_999, "bob", 16_003), "", 0},
		{"within what clocks differ", fmt.Sprintf(bet+bet, 17_500, "bob", 17_900, "cy"), "", 0},
		{"decided in time, and the log took it late", fmt.Sprintf(bet, 60_000, "bob"), "", 1},
		{"two, one after the other", fmt.Sprintf(bet+bet, 60_000, "bob", 60_001, "cy"), "bob|cy", 1},
		{"taken back late", fmt.Sprintf(bet+clear+clear, 5000, "bob", 60_000, "bob", 60_001, "bob"), "after betting was to end", 1},
		{"longer", fmt.Sprintf(bet+extend+bet+bet, 2000, "bob", 15_000, 20_000, 19_000, "cy", 20_001, "di"), "", 0},
		{"longer, and then late", fmt.Sprintf(extend+extend+bet, 15_000, 20_000, 23_000, 24_000, 60_000, "di"), "", 1},
		{"longer than 5 s", fmt.Sprintf(extend, 15_000, 26_000), "extended", 0},
		{"closed too early", fmt.Sprintf(bet+closed, 5000, "bob", 9000), "closed", 0},
	} {
		reports := judged(t, dealersShoe+c.log)
		wantFault(t, c.what, reports, c.fault)
		if reports[0].Late != c.late {
			t.Errorf("%s: %d late, want %d", c.what, reports[0].Late, c.late)
		}
	}
}

// TestTooManyExtensions: betting is extended six times in a round.
func TestTooManyExtensions(t *testing.T) {
	log := dealersShoe
	for i := range baccarat.MaxExtensions {
		log += fmt.Sprintf("%d betting_extended {\"round\":1,\"closes_at\":%d}\n", 15_000+1000*i, 20_000+1000*i)
	}
	wantFault(t, "six times", judged(t, log), "")
	wantFault(t, "once more", judged(t, log+`25000 betting_extended {"round":1,"closes_at":29000}`), "7 times")
}
