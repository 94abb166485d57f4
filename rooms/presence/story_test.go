package presence_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
)

// A story in testdata is read line by line: a line that starts with # is for
// people, an indented one is what the line above it printed, any other is
//
//	node NAME INCARNATION [BOOT]          a node opens the room; without a boot, one of version 0
//	NODE joins SESSION UID NAME AVATAR    also: leaves SESSION, away SESSION UNTIL, expire TIME
//	NODE lists [AFTER LIMIT]              the users; next is the AFTER of the next page
//	NODE changes                          what it tells its members
//	NODE diff MESSAGE                     what it tells the nodes; also: state MESSAGE
//	split MESSAGE BYTES                   makes MESSAGE.1, MESSAGE.2 …
//	NODE beat MESSAGE                     its heartbeat
//	NODE hears MESSAGE…                   asks if something is missing
//	NODE waits                            until the clients of a process that ended had their time
//	NODE drops NODE                       after three missed heartbeats
//	NODE knows                            node, incarnation and version
//	NODE compares NODE                    its heartbeat with what is known
//
// go test -run TestStories -update writes what is printed into the file.
type story struct {
	nodes    map[string]*storyNode
	messages map[string]storyMessage
}

type storyNode struct {
	*presence.Table
	peers presence.Peers
	over  []presence.Process // ends when it waits
}

// storyMessage is a Diff, or a heartbeat.
type storyMessage struct {
	presence.Diff
	beat bool
}

func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := story{nodes: map[string]*storyNode{}, messages: map[string]storyMessage{}}
			told := s.tell(t, string(text))
			if told == string(text) {
				return
			}
			if !*update {
				t.Fatalf("%s now reads (write it with -update once you can explain it):\n%s", file, told)
			}
			if err := os.WriteFile(file, []byte(told), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func (s *story) tell(t *testing.T, text string) string {
	var b strings.Builder
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, "    ") {
			continue
		}
		fmt.Fprintln(&b, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		out, err := s.do(strings.Fields(line))
		if err != nil {
			t.Fatalf("line %d: %q: %v", i+1, line, err)
		}
		for _, o := range out {
			fmt.Fprintln(&b, "    "+o)
		}
		for name, tab := range s.nodes {
			if err := tab.Audit(); err != nil {
				t.Fatalf("line %d: %q: node %s: %v", i+1, line, name, err)
			}
		}
	}
	return b.String()
}

func (s *story) do(w []string) ([]string, error) {
	switch {
	case w[0] == "node" && (len(w) == 3 || len(w) == 4):
		return nil, s.node(w[1], w[2], strings.Join(w[3:], ""))
	case w[0] == "split" && len(w) == 3:
		limit, err := strconv.Atoi(w[2])
		return s.split(w[1], limit), err
	}
	tab := s.nodes[w[0]]
	if tab == nil || len(w) < 2 {
		return nil, fmt.Errorf("no node and no command")
	}
	verb, args := w[1], w[2:]
	if out, known, err := s.local(tab.Table, verb, args); known {
		return out, err
	}
	return s.remote(tab, verb, args)
}

func (s *story) node(name, incarnation, boot string) error {
	n, err := strconv.ParseUint(incarnation, 10, 64)
	var b presence.Boot
	if boot != "" {
		err = errors.Join(err, b.UnmarshalText([]byte(boot)))
	}
	s.nodes[name] = &storyNode{Table: presence.New(name, b, n)}
	return err
}

func (s *story) local(tab *presence.Table, verb string, args []string) (out []string, known bool, err error) {
	switch fmt.Sprint(verb, len(args)) {
	case "joins4":
		err = tab.Join(args[0], presence.User{UID: args[1], Username: args[2], AvatarID: args[3]})
	case "leaves1":
		tab.Leave(args[0])
	case "away2":
		var d time.Duration
		d, err = time.ParseDuration(args[1])
		tab.Away(args[0], at(d))
	case "expire1":
		var d time.Duration
		d, err = time.ParseDuration(args[0])
		if next, ok := tab.Expire(at(d)); ok {
			return []string{"next at " + next.Sub(at(0)).String()}, true, err
		}
		out = []string{"no seat is kept"}
	case "lists0":
		out = list(tab, "", 1000)
	case "lists2":
		limit, bad := strconv.Atoi(args[1])
		out, err = list(tab, args[0], limit), bad
	case "changes0":
		out = changes(tab)
	default:
		return nil, false, nil
	}
	return out, true, err
}

func (s *story) remote(tab *storyNode, verb string, args []string) ([]string, error) {
	switch {
	case verb == "diff" && len(args) == 1:
		d, any := tab.LocalDiff()
		if !any {
			return []string{"nothing to say"}, nil
		}
		return s.keep(args[0], d), nil
	case verb == "state" && len(args) == 1:
		return s.keep(args[0], tab.LocalState()), nil
	case verb == "beat" && len(args) == 1:
		n := tab.Local()
		s.messages[args[0]] = storyMessage{presence.Diff{Node: n.Node, Boot: n.Boot, Incarnation: n.Incarnation}, true}
		return nil, nil
	case verb == "hears":
		var out []string
		for _, name := range args {
			m, known := s.messages[name]
			if !known {
				return nil, fmt.Errorf("no message %q", name)
			}
			out = append(out, tab.hear(m)...)
		}
		return out, nil
	case verb == "waits" && len(args) == 0:
		for _, part := range tab.over {
			if !tab.peers.Lives(part) {
				tab.DropProcess(part)
			}
		}
		tab.over = nil
		return nil, nil
	case verb == "drops" && len(args) == 1:
		tab.DropNode(args[0])
		return nil, nil
	case verb == "knows" && len(args) == 0:
		var out []string
		for _, n := range tab.Nodes() {
			out = append(out, fmt.Sprint(n.Node, " ", n.Incarnation, " ", n.Version))
			if n.Boot != 0 {
				out[len(out)-1] += fmt.Sprintf(" boot %x", uint64(n.Boot))
			}
		}
		return out, nil
	case verb == "compares" && len(args) == 1 && s.nodes[args[0]] != nil:
		if tab.Behind(s.nodes[args[0]].Local()) {
			return []string{"asks " + args[0]}, nil
		}
		return []string{"up to date"}, nil
	}
	return nil, fmt.Errorf("unknown command, or not its arguments")
}

// hear does what a room does with a message.
func (n *storyNode) hear(m storyMessage) []string {
	sign := presence.Observation{Node: m.Node, Boot: m.Boot, Heartbeat: m.beat}
	if m.beat {
		sign.Started = int64(m.Incarnation)
	}
	switch what, over := n.peers.Observe(sign, at(0)); {
	case what == presence.Stale:
		return []string{"too late"}
	case what == presence.Restarted:
		n.over = append(n.over, over)
		return []string{m.Node + " restarted", "asks " + m.Node}
	case !m.beat && n.Apply(m.Diff):
		return []string{"asks " + m.Node}
	}
	return nil
}

func (s *story) keep(name string, d presence.Diff) []string {
	s.messages[name] = storyMessage{Diff: d}
	data, err := json.Marshal(d)
	if err != nil {
		return []string{err.Error()}
	}
	return []string{string(data)}
}

func (s *story) split(name string, limit int) (out []string) {
	for i, d := range s.messages[name].Split(limit) {
		out = append(out, s.keep(fmt.Sprint(name, ".", i+1), d)...)
	}
	return out
}

func list(tab *presence.Table, after string, limit int) []string {
	users, next := tab.List(after, limit)
	out := []string{fmt.Sprintf("%d here:%s", tab.Count(), brief(users))}
	if next != "" {
		out = append(out, "next "+next)
	}
	return out
}

func changes(tab *presence.Table) (out []string) {
	joined, left, changed := tab.Changes()
	if !changed {
		return []string{"nothing"}
	}
	if len(joined) > 0 {
		out = append(out, "joined"+brief(joined))
	}
	if len(left) > 0 {
		out = append(out, "left"+brief(left))
	}
	return append(out, fmt.Sprint("count ", tab.Count()))
}

func brief(us []presence.User) string {
	s := ""
	for _, u := range us {
		s += fmt.Sprintf(" %s(%s,%s)", u.UID, u.Username, u.AvatarID)
	}
	return s
}
