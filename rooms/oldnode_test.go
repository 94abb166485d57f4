package rooms_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
)

// oldNode plays a node of version 0, which is what was released before messages
// between nodes had a version: its JSON is what such a node sends, and it reads
// and believes what such a node does.
type oldNode struct {
	t    *testing.T
	nc   *nats.Conn
	name string

	mu      sync.Mutex
	started int64               // unix nanoseconds; 0: it does not beat
	state   string              // the answer to an ask of room x; "": none
	parts   map[string]*oldPart // by node, of room x
}

// oldPart is what version 0 knows of another node's part of a room.
type oldPart struct {
	incarnation, version uint64
	users                map[string]bool
}

// What version 0 reads.
type (
	oldShared struct {
		Diff *oldDiff    `json:"diff"`
		Beat *oldVersion `json:"beat"`
		Ask  string      `json:"ask"`
	}
	oldVersion struct {
		Node        string `json:"node"`
		Incarnation uint64 `json:"incarnation"`
		Version     uint64 `json:"version"`
	}
	oldDiff struct {
		oldVersion
		Full   bool `json:"full"`
		Part   int  `json:"part"`
		Parts  int  `json:"parts"`
		Joined []struct {
			UID      string `json:"uid"`
			Username string `json:"username"`
			AvatarID string `json:"avatar_id"`
		} `json:"joined"`
		Left []string `json:"left"`
	}
	oldHeartbeat struct {
		Node    string `json:"node"`
		Started int64  `json:"started"`
		Hello   bool   `json:"hello"`
	}
)

func startOldNode(t *testing.T, srv *embedded.Server, name string) *oldNode {
	t.Helper()
	o := &oldNode{t: t, nc: outsider(t, srv), name: name, parts: map[string]*oldPart{}}
	for subject, fn := range map[string]nats.MsgHandler{
		"roomd.node":              o.onHeartbeat,
		"room.x.presence":         o.onShared,
		"roomd.to." + name + ".*": o.onShared,
		"roomd.control":           o.onControl,
	} {
		if _, err := o.nc.Subscribe(subject, fn); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *oldNode) send(subject, format string, args ...any) {
	o.t.Helper()
	inject(o.t, o.nc, subject, fmt.Sprintf(format, args...))
}

// beat says hello as a process that started at a time in unix nanoseconds; from
// then on it beats whenever another node does.
func (o *oldNode) beat(started int64) {
	o.t.Helper()
	o.mu.Lock()
	o.started = started
	hello := o.heartbeat(true)
	o.mu.Unlock()
	inject(o.t, o.nc, "roomd.node", string(hello))
}

// dies makes it silent.
func (o *oldNode) dies() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.started = 0
}

// answers sets what it says to whoever asks for its part of room x.
func (o *oldNode) answers(state string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state = state
}

func (o *oldNode) onHeartbeat(msg *nats.Msg) {
	var b oldHeartbeat
	if err := json.Unmarshal(msg.Data, &b); err != nil || b.Node == "" || b.Started == 0 {
		o.t.Errorf("version 0 cannot read the heartbeat %s: %v", msg.Data, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.started != 0 && b.Node != o.name {
		_ = o.nc.Publish("roomd.node", o.heartbeat(false))
	}
}

// heartbeat needs mu.
func (o *oldNode) heartbeat(hello bool) []byte {
	return fmt.Appendf(nil, `{"node":%q,"started":%d,"hello":%v}`, o.name, o.started, hello)
}

func (o *oldNode) onControl(msg *nats.Msg) {
	var c struct {
		Op   string `json:"op"`
		Room string `json:"room"`
	}
	if json.Unmarshal(msg.Data, &c) != nil {
		return
	}
	switch c.Op {
	case "rooms", "room":
		_ = msg.Respond([]byte(`{"node":"` + o.name + `","rooms":[{"name":"x","count":2,"sessions":1,"seq":0,"epoch":"dn11euh2v7xf","active":"2026-11-21T16:42:18.631608481Z"}]}`))
	case "remove":
		_ = msg.Respond([]byte(`{"node":"` + o.name + `","count":1}`))
	case "close":
		_ = msg.Respond([]byte(`{"node":"` + o.name + `"}`))
	} // version 0 says nothing to what it does not know
}

func (o *oldNode) onShared(msg *nats.Msg) {
	var s oldShared
	if err := json.Unmarshal(msg.Data, &s); err != nil {
		o.t.Errorf("version 0 cannot read %s on %s: %v", msg.Data, msg.Subject, err)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case s.Ask != "" && s.Ask != o.name:
		if o.state != "" {
			_ = o.nc.Publish("roomd.to."+s.Ask+".x", []byte(o.state))
		}
	case s.Diff != nil && s.Diff.Node != o.name:
		if o.apply(*s.Diff) {
			o.ask(s.Diff.Node)
		}
	case s.Beat != nil && s.Beat.Node != o.name:
		p := o.parts[s.Beat.Node]
		if p == nil && s.Beat.Version > 0 || p != nil && (s.Beat.Incarnation > p.incarnation || s.Beat.Incarnation == p.incarnation && s.Beat.Version > p.version) {
			o.ask(s.Beat.Node)
		}
	}
}

func (o *oldNode) ask(node string) {
	_ = o.nc.Publish("roomd.to."+node+".x", []byte(`{"ask":"`+o.name+`"}`))
}

// apply is how version 0 takes in what a node says: it needs mu.
func (o *oldNode) apply(d oldDiff) (ask bool) {
	p := o.parts[d.Node]
	switch {
	case d.Node == "" || d.Version == 0 && (!d.Full || len(d.Joined) > 0) || d.Parts > 1:
		o.t.Errorf("version 0 does not take %+v", d)
		return false
	case p == nil:
		p = &oldPart{incarnation: d.Incarnation, users: map[string]bool{}}
		o.parts[d.Node] = p
	case d.Incarnation < p.incarnation:
		return false
	case d.Incarnation > p.incarnation:
		*p = oldPart{incarnation: d.Incarnation, users: map[string]bool{}}
	}
	if d.Version <= p.version {
		return false
	}
	if !d.Full && d.Version > p.version+1 {
		return true
	}
	p.version = d.Version
	if d.Full {
		clear(p.users)
	}
	for _, uid := range d.Left {
		delete(p.users, strings.TrimPrefix(uid, "u-"))
	}
	for _, u := range d.Joined {
		p.users[strings.TrimPrefix(u.UID, "u-")] = true
	}
	return false
}

// knows waits until it knows these users of another node's part of room x.
func (o *oldNode) knows(node, want string) {
	o.t.Helper()
	eventually(o.t, fmt.Sprintf("version 0 knows %q of %s", want, node), func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		p := o.parts[node]
		return p != nil && strings.Join(slices.Sorted(maps.Keys(p.users)), ",") == want
	})
}

// forgets drops what it knows of a node, as after three missed heartbeats.
func (o *oldNode) forgets(node string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.parts, node)
}
