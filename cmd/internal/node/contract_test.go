package node

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// contractFile is the contract for who writes a client or a service in another language.
const contractFile = "../../../rooms/wire/README.md"

// TestContract does what the examples of the contract do, each block at a node of its own, and compares what comes with what
// stands there: a field that is missing, or that the contract does not know, fails. Of values that differ each time it asks that they
// are of the same kind, and the same wherever the contract writes the same.
func TestContract(t *testing.T) {
	text, err := os.ReadFile(contractFile)
	if err != nil {
		t.Fatal(err)
	}
	blocks := examples(string(text))
	if len(blocks) < 10 {
		t.Fatalf("%s has %d examples", contractFile, len(blocks))
	}
	for _, block := range blocks {
		t.Run(fmt.Sprintf("line_%d", block[0].number), func(t *testing.T) { play(t, block) })
	}
}

// step is one line of an example, with those that go on it.
type step struct {
	number int
	text   string
}

// examples are the blocks marked roomd.
func examples(text string) (blocks [][]step) {
	inside := false
	for i, line := range strings.Split(text, "\n") {
		switch {
		case line == "```roomd":
			inside, blocks = true, append(blocks, nil)
		case line == "```":
			inside = false
		case inside && strings.HasPrefix(line, " "):
			block := blocks[len(blocks)-1]
			block[len(block)-1].text += line
		case inside:
			blocks[len(blocks)-1] = append(blocks[len(blocks)-1], step{i + 1, line})
		}
	}
	return blocks
}

// scene is a block while it is played.
type scene struct {
	t      *testing.T
	server *server
	same   *same
	peers  map[string]*peer
	nats   *listener
	answer *answer // to the last request over HTTP or NATS
	inbox  bool    // that request was about a user's inbox
}

// verbs are the kinds of lines; the first that matches is done.
var verbs = []struct {
	line *regexp.Regexp
	do   func(e *scene, arg []string)
}{
	{regexp.MustCompile(`^\$ roomd (.*)$`), nil}, // read before the block is played
	{regexp.MustCompile(`^\$ kill -TERM roomd$`), (*scene).kill},
	{regexp.MustCompile(`^\$ nats sub '([^']*)'$`), (*scene).natsSub},
	{regexp.MustCompile(`^\$ nats pub (\S+) '([^']*)'((?: -H \S+)*)$`), (*scene).natsPub},
	{regexp.MustCompile(`^\$ nats req (\S+) '([^']*)'$`), (*scene).natsReq},
	{regexp.MustCompile(`^\$ nats reply (\S+) '([^']*)'$`), (*scene).natsReply},
	{regexp.MustCompile(`^nats ← (\S+) (.*)$`), (*scene).natsGot},
	{regexp.MustCompile(`^(GET|POST|PUT|DELETE) (\S+)(?: (.*))?$`), (*scene).request},
	{regexp.MustCompile(`^(\d+) guests GET (/ws\S*)$`), (*scene).connectGuests},
	{regexp.MustCompile(`^(\d{3}) (.*)$`), (*scene).answered},
	{regexp.MustCompile(`^(\w+) GET (/ws\S*)(?: Authorization: Bearer <(\w+)(?: for (\w+))?>)?$`), (*scene).connect},
	{regexp.MustCompile(`^(\w+) → (.*) again and again$`), (*scene).sendUntilClosed},
	{regexp.MustCompile(`^(\w+) → (.*)$`), (*scene).send},
	{regexp.MustCompile(`^(\w+) ← close (\d+)$`), (*scene).closed},
	{regexp.MustCompile(`^(\w+) ← (.*)$`), (*scene).got},
	{regexp.MustCompile(`^(\w+) close (\d+)$`), (*scene).close},
}

func play(t *testing.T, block []step) {
	cfg := testConfig()
	cfg.JWTKey, cfg.APIKey = secret, secret
	cfg.PresenceInterval = 100 * time.Millisecond
	yes := true
	cfg.AllowGuests, cfg.GuestRooms, cfg.GuestSpeak = &yes, []string{"*"}, []string{"*"}
	if flags, ok := strings.CutPrefix(block[0].text, "$ roomd "); ok {
		cfg = withFlags(t, cfg, strings.Fields(flags))
	}
	e := &scene{t: t, server: serve(t, cfg), same: newSame(), peers: make(map[string]*peer)}
	t.Cleanup(func() {
		for _, p := range e.peers {
			p.end(websocket.CloseNormalClosure)
		}
	})
	for _, line := range block {
		done := false
		for _, verb := range verbs {
			arg := verb.line.FindStringSubmatch(line.text)
			if arg == nil {
				continue
			}
			e.same.where = fmt.Sprintf("line %d", line.number)
			if done = true; verb.do != nil {
				verb.do(e, arg[1:])
			}
			break
		}
		if !done {
			t.Fatalf("line %d is of no kind that is known: %s", line.number, line.text)
		}
	}
	for name, p := range e.peers {
		for _, ev := range p.rest() {
			if ev["type"] == "error" && !p.insistent {
				t.Errorf("%s got an error that the example does not have: %v", name, ev)
			}
		}
	}
}

// withFlags is cfg with what the flags of a block's first line set besides.
func withFlags(t *testing.T, cfg Config, args []string) Config {
	t.Helper()
	base := []string{"--addr", cfg.Addr, "--nats-addr", cfg.NATSAddr, "--store", cfg.Store, "--store-dir", cfg.StoreDir, "--log", cfg.Log,
		"--drain", cfg.Drain.String(), "--presence-interval", cfg.PresenceInterval.String(), "--allow-guests", "--guest-rooms", "*", "--guest-speak", "*"}
	loaded, err := Load(append(base, args...), []string{"ROOMD_JWT_KEY=" + cfg.JWTKey, "ROOMD_API_KEY=" + cfg.APIKey}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func (e *scene) fatal(format string, args ...any) {
	e.t.Helper()
	e.t.Fatalf(e.same.where+": "+format, args...)
}

func (e *scene) compare(room string, want, got any) {
	e.t.Helper()
	if problem := e.same.compare(room, want, got); problem != "" {
		e.fatal("%s\ncontract %s\nserver   %s", problem, jsonText(want), jsonText(got))
	}
}

func (e *scene) kill([]string) { go e.server.stop() } // ends when its clients have gone, which the next lines are about

// token is what <name> stands for.
func (e *scene) token(name, lasts string) string {
	e.t.Helper()
	lifetime, err := time.ParseDuration(cmp.Or(lasts, "1h"))
	if err != nil {
		e.fatal("%v", err)
	}
	return sign(e.t, auth.Claims{UID: name, Name: strings.ToUpper(name[:1]) + name[1:], AvatarID: "3", Expires: time.Now().Add(lifetime)})
}
