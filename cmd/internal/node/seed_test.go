package node

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// overheard is all that goes over NATS, as somebody with full access sees it.
type overheard struct {
	mu   sync.Mutex
	list []*nats.Msg
}

func (o *overheard) add(msg *nats.Msg) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, msg)
}

// before are the messages up to the first one that holds a text.
func (o *overheard) before(text string) (list []*nats.Msg, found bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, msg := range o.list {
		if bytes.Contains(msg.Data, []byte(text)) {
			return o.list[:i], true
		}
	}
	return o.list, false
}

// writings are the ways in which a secret may stand in a text.
func writings(secret []byte) (list []string) {
	plain := []string{string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret))}
	for _, text := range plain {
		list = append(list, text)
		for skip := range 3 { // what stands before it shifts it
			padded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", skip) + text))
			list = append(list, padded[4:len(padded)-4])
		}
	}
	return list
}

// A shoe is played to its end. Its seed, which then everybody is told, was before
// in nothing that went over NATS, was stored there, or answered by anybody.
func TestSeedOfAShoe(t *testing.T) {
	cfg := testConfig()
	cfg.Tables, cfg.Dealer, cfg.BetTime, cfg.DealTime = []string{"baccarat-*=baccarat"}, dealerAuto, minTableTime, minTableTime
	log := &journal{}
	n, err := New(t.Context(), cfg, zerolog.New(log).Level(zerolog.DebugLevel), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s := run(t, n)
	nc := natsTo(t, s)
	all := &overheard{}
	sub, err := nc.Subscribe(">", all.add)
	if err == nil {
		err = sub.SetPendingLimits(-1, -1)
	}
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	m := s.dial(t, "ann", "")
	if _, err := m.Join(t.Context(), "baccarat-1", client.JoinOptions{}); err != nil {
		t.Fatal(err)
	}
	var told struct {
		Shoe   int
		Commit string
		Seed   string
	}
	var asked bytes.Buffer // what was answered while the shoe was played
	var ended wire.Event
	for ended.Type == "" {
		select {
		case ev := <-m.events:
			events, err := wire.EachOf(ev)
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range events {
				switch one.Type {
				case "shoe_started":
					if err := json.Unmarshal(one.Payload, &told); err != nil {
						t.Fatal(err)
					}
				case "round_settled":
					if asked.Len() == 0 {
						for _, path := range []string{"/api/rooms", "/api/rooms/baccarat-1", "/api/rooms/baccarat-1/events"} {
							asked.WriteString(s.want(t, 200, "GET", path, "").body)
						}
						later := s.dial(t, "later", "")
						joined, err := later.Join(t.Context(), "baccarat-1", client.JoinOptions{Last: 100})
						if err != nil {
							t.Fatal(err)
						}
						asked.Write(joined.State)
						later.Close()
					}
				case "shoe_ended":
					if ended.Type == "" {
						ended = one
					}
				}
				if ended.Type != "" {
					break
				}
			}
		case <-time.After(deadline):
			t.Fatal("the shoe has no end")
		}
	}
	commit := told.Commit
	if err := json.Unmarshal(ended.Payload, &told); err != nil {
		t.Fatal(err)
	}
	seed, err := hex.DecodeString(told.Seed)
	if sum := sha256.Sum256(seed); err != nil || hex.EncodeToString(sum[:]) != commit || told.Shoe != 1 {
		t.Fatalf("%+v, %v: the shoe was committed as %s", told, err, commit)
	}
	secrets := writings(seed)
	search := func(where string, data []byte) {
		t.Helper()
		for _, text := range secrets {
			if bytes.Contains(data, []byte(text)) {
				t.Fatalf("%s has the seed: %.500q", where, data)
			}
		}
	}
	eventually(t, "the end is overheard", func() bool { _, found := all.before(`"shoe_ended"`); return found })
	messages, _ := all.before(`"shoe_ended"`)
	steps, snapshots := 0, 0
	for _, msg := range messages {
		search(msg.Subject, msg.Data)
		search(msg.Subject, []byte(fmt.Sprint(msg.Header)))
		switch {
		case strings.HasSuffix(msg.Subject, ".step"):
			steps++
		case strings.Contains(msg.Subject, ".snapshot"):
			snapshots++
			for at := range min(len(msg.Data), 256) {
				plain, _ := io.ReadAll(flate.NewReader(bytes.NewReader(msg.Data[at:]))) // what it reads before it fails counts as well
				search("an inflated snapshot", plain)
			}
		}
	}
	if steps < 200 || snapshots == 0 || asked.Len() < 1000 {
		t.Errorf("%d steps, %d snapshots and %d bytes of answers were looked at", steps, snapshots, asked.Len())
	}
	search("an answer", asked.Bytes())
	search("the log", []byte(log.take()))
	page := s.want(t, 200, "GET", fmt.Sprintf("/api/rooms/baccarat-1/events?before=%d", ended.Seq), "")
	search("the history before the end", []byte(page.body))
}
