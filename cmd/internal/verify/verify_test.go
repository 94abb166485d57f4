package verify

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// load is a small run at url: 2 rooms, 120 events.
func load(url ...string) Config {
	return Config{URL: url, Publishers: 4, Members: 6, Rooms: 2, Rate: 60, ClientRate: 20, Duration: 2 * time.Second, Settle: 20 * time.Second,
		GiveUp: maxGiveUp, Timeout: 30 * time.Second, Wait: time.Minute, Progress: 100 * time.Millisecond, JSON: true, Sign: sign}
}

// run does a run to its end.
func run(t *testing.T, cfg Config) (out string, err error) {
	t.Helper()
	var b strings.Builder
	err = Run(t.Context(), cfg, &b)
	return b.String(), err
}

// verdicts reads what verify --json printed.
func verdicts(t *testing.T, out string) []verdict {
	t.Helper()
	var list []verdict
	for line := range strings.Lines(out) {
		var d verdict
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		list = append(list, d)
	}
	return list
}

func TestVerifyAHealthyServer(t *testing.T) {
	m := startServer(t)
	r := start(t, load(m.url(), m.url()))
	// Some lose their connection in the middle, and come back.
	r.out.wait(t, `"phase":"sending"`)
	run := verdicts(t, strings.TrimSpace(r.out.String()))[0].Run
	for _, client := range []string{"-p0", "-p1", "-m0", "-m1", "-m2"} {
		m.CloseUserHere(run+client, wire.CloseTooSlow)
	}
	if err := <-r.result; err != nil {
		t.Fatalf("%v\n%s", err, r.out)
	}
	list := verdicts(t, r.out.String())
	d := list[len(list)-1]
	if d.Outcome != held || !strings.HasPrefix(d.Words, "the promise held: ") {
		t.Errorf("the verdict is %q: %q", d.Outcome, d.Words)
	}
	if d.Phase != "verdict" || d.Clients != 10 || d.Sent < 10 || d.Acknowledged != d.Sent || d.Unacknowledged != 0 || d.GaveUp != "" {
		t.Errorf("%+v", d)
	}
	// 2 publishers and 3 members hear each event once.
	if d.Delivered != 5*d.Sent || d.Reconnects != 5 || d.Refreshes != 0 || d.Away != 0 {
		t.Errorf("delivered %d of %d times 5, reconnects %d, refreshes %d, away %d", d.Delivered, d.Sent, d.Reconnects, d.Refreshes, d.Away)
	}
	if p := d.LongestPause; p.Seconds <= 0 || !p.To.After(p.From) || !strings.HasPrefix(p.Where, run) || d.LongestSilence.Seconds < p.Seconds {
		t.Errorf("longest pause %+v, longest silence %+v", p, d.LongestSilence)
	}
	var phases []string
	for _, d := range list {
		phases = append(phases, d.Phase)
	}
	if got := slices.Compact(phases); !slices.Equal(got, []string{"joining", "sending", "settling", "verdict"}) {
		t.Errorf("phases %q", got)
	}
}

func TestVerifyForPeople(t *testing.T) {
	cfg := load(startServer(t).url())
	cfg.Publishers, cfg.Members, cfg.Rooms, cfg.Rate, cfg.Duration, cfg.JSON = 2, 1, 1, 20, 500*time.Millisecond, false
	out, err := run(t, cfg)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`sending +sent`, `(?m)^lost +0$`, `(?m)^longest pause +\d+\.\d{3}s +from .* to .*, verify-\w+-0$`,
		`\nHELD: the promise held: \d+ acknowledged events, .*\n$`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s in:\n%s", want, out)
		}
	}
}

// Ctrl-C ends the sending; what was sent is still judged.
func TestVerifyInterrupted(t *testing.T) {
	cfg := load(startServer(t).url())
	cfg.Duration = time.Hour
	r := start(t, cfg)
	r.out.wait(t, `"phase":"sending"`)
	r.out.wait(t, `"acknowledged":\d\d`) // ten or more
	r.interrupt()
	if err := <-r.result; err != nil {
		t.Fatalf("%v\n%s", err, r.out)
	}
	list := verdicts(t, r.out.String())
	if d := list[len(list)-1]; d.Phase != "verdict" || d.Acknowledged != d.Sent || d.Delivered != 5*d.Sent {
		t.Errorf("%+v", d)
	}
}

func TestVerifyWithoutALogin(t *testing.T) {
	cfg := load(startServer(t).url())
	cfg.Sign = nil
	out, err := run(t, cfg)
	if err == nil || !strings.Contains(err.Error(), "--url") || strings.Contains(out, "sending") {
		t.Errorf("guests where none are let in: %v\n%s", err, out)
	}
}

// liar stands between a client and the real server and spoils what one client
// hears.
type liar struct {
	t       *testing.T
	backend string
	spoil   func(heard [][]byte) [][]byte // two messages of the log, what becomes of them

	mu      sync.Mutex
	victims int
	done    sync.WaitGroup
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/ws" {
		http.NotFound(w, r)
		return
	}
	header := http.Header{"Authorization": r.Header["Authorization"]}
	back, res, err := websocket.DefaultDialer.DialContext(r.Context(), l.backend+"?"+r.URL.RawQuery, header)
	if err != nil {
		l.t.Errorf("the liar connects: %v %v", err, res)
		return
	}
	defer back.Close()
	upgrader := websocket.Upgrader{}
	front, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		l.t.Errorf("the liar upgrades: %v", err)
		return
	}
	defer front.Close()
	l.mu.Lock()
	l.victims++
	victim := l.victims == 1
	l.mu.Unlock()
	l.done.Add(1)
	go func() {
		defer l.done.Done()
		defer back.Close()
		relay(back, front, func(body []byte) [][]byte { return [][]byte{body} })
	}()
	var kept [][]byte
	told := false
	relay(front, back, func(body []byte) [][]byte {
		if !victim || told || !strings.Contains(string(body), `"type":"new_message"`) {
			return [][]byte{body}
		}
		if kept = append(kept, body); len(kept) < 2 {
			return nil
		}
		told = true
		return l.spoil(kept)
	})
}

// relay copies messages until one side ends.
func relay(to, from *websocket.Conn, change func([]byte) [][]byte) {
	for {
		kind, body, err := from.ReadMessage()
		if err != nil {
			return
		}
		for _, body := range change(body) {
			if to.WriteMessage(kind, body) != nil {
				return
			}
		}
	}
}

func TestVerifyFindsALiar(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(heard [][]byte) [][]byte
		want  findings
	}{
		{"silent about one", func(h [][]byte) [][]byte { return h[1:] }, findings{Lost: 1}},
		{"says one twice", func(h [][]byte) [][]byte { return append(h, h[1]) }, findings{Repeated: 1}},
		{"swaps two", func(h [][]byte) [][]byte { return [][]byte{h[1], h[0]} }, findings{OutOfOrder: 1}},
		{"honest", func(h [][]byte) [][]byte { return h }, findings{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &liar{t: t, backend: startServer(t).url(), spoil: tt.spoil}
			web := httptest.NewServer(l)
			defer l.done.Wait()
			defer web.Close()
			cfg := load("ws" + strings.TrimPrefix(web.URL, "http") + "/ws")
			cfg.Duration = time.Second
			out, err := run(t, cfg)
			list := verdicts(t, out)
			d := list[len(list)-1]
			if got := (findings{d.Lost, d.Repeated, d.OutOfOrder, d.Disagreements}); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			outcome := held
			if tt.want != (findings{}) {
				outcome = broken
			}
			if d.Outcome != outcome || errors.Is(err, ErrBroken) != (outcome == broken) || (err == nil) != (outcome == held) {
				t.Errorf("%s (%s), and ends with %v; want %s", d.Outcome, d.Words, err, outcome)
			}
		})
	}
}

// A service that goes away in the middle and stays away is no success.
func TestVerifyOfADeadServer(t *testing.T) {
	m := startServer(t)
	cfg := load(m.url())
	cfg.Settle, cfg.GiveUp = time.Second, time.Second
	r := start(t, cfg)
	r.out.wait(t, `"phase":"sending"`)
	m.Close()
	if err := <-r.result; err == nil || errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "no connection") {
		t.Errorf("%v\n%s", err, r.out)
	}
	list := verdicts(t, r.out.String())
	if d := list[len(list)-1]; d.Outcome != unverified || !strings.Contains(d.Words, "no connection") {
		t.Errorf("the verdict is %q: %q", d.Outcome, d.Words)
	}
}

func TestEventText(t *testing.T) {
	e := entry{sender: 7, number: 12}
	var got entry
	if !parseEvent(eventText("run", e), "run", &got) || got != e {
		t.Errorf("%+v", got)
	}
	for _, text := range []string{"", "run", "run 7", "run 7 12 ", "run 7 x", "other 7 12", "run 07 12", "run 7 99999999999"} {
		if parseEvent(text, "run", &got) {
			t.Errorf("%q was taken for one of ours", text)
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestVerifyOutputClosed(t *testing.T) {
	m := startServer(t)
	err := Run(t.Context(), load(m.url()), brokenPipe{})
	if err == nil || !strings.Contains(err.Error(), "stdout") {
		t.Errorf("into a closed pipe: %v", err)
	}
	m.unready.Store(true)
	if err := Run(t.Context(), load(m.url()), brokenPipe{}); err == nil || !strings.Contains(err.Error(), "stdout") {
		t.Errorf("into a closed pipe, waiting: %v", err)
	}
}
