package tabletest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// book is a state: the sums that users have said, and in what order they came.
type book struct {
	Sums  map[string]int `json:"sums"`
	Order []string       `json:"order"`
	Bell  int64          `json:"bell"` // when to ring; 0: not

	hidden int             // what Encode forgets
	kept   json.RawMessage // what is not the state's own
}

// books are rules that are right: users add numbers, and once somebody has, a bell
// rings every second until it was rung three times. Each hook replaces a part.
type books struct {
	table.Defaults[*book]
	decide func(*book, table.Command) ([]table.Event, error)
	apply  func(*book, table.Event) (*book, error)
	timer  func(*book) int64
	view   func(*book, string) any
	label  func(*book) any
	admit  func(*book, table.User) error
	busy   func(*book) bool
	encode func(*book) ([]byte, error)
	decode func([]byte) (*book, error)
	empty  func() *book
}

func newBook() *book { return &book{Sums: map[string]int{}} }

func (b books) New() *book {
	if b.empty != nil {
		return b.empty()
	}
	return newBook()
}

type added struct {
	UID  string `json:"uid"`
	N    int    `json:"n"`
	Bell int64  `json:"bell"`
}

func (b books) Decide(s *book, c table.Command) ([]table.Event, error) {
	if b.decide != nil {
		if events, err := b.decide(s, c); events != nil || err != nil {
			return events, err
		}
	}
	switch {
	case c.Type == table.TypeTimer && c.User.From == table.FromEngine && s.Bell != 0 && c.Now >= s.Bell:
		bell := s.Bell + 1000
		if s.Sums["bell"] >= 2 {
			bell = 0
		}
		return []table.Event{table.Happened("added", added{"bell", 1, bell})}, nil
	case c.User.From == table.FromEngine:
		return nil, nil
	case c.Type != "add" || c.User.From != table.FromUser:
		return nil, table.Refuse("add, not %.20q", c.Type)
	}
	p, err := table.Read[struct{ N *int }](c)
	if err != nil {
		return nil, err
	}
	if p.N == nil || *p.N < 1 || *p.N > 100 {
		return nil, table.Refuse("from 1 to 100")
	}
	bell := s.Bell
	if len(s.Sums) == 0 {
		bell = c.Now + 1000
	}
	return []table.Event{table.Happened("added", added{c.User.UID, *p.N, bell})}, nil
}

func (b books) Apply(s *book, ev table.Event) (*book, error) {
	if b.apply != nil {
		return b.apply(s, ev)
	}
	return add(s, ev)
}

func add(s *book, ev table.Event) (*book, error) {
	var p added
	err := json.Unmarshal(ev.Payload, &p)
	s.Sums[p.UID] += p.N
	s.Bell = p.Bell
	return s, err
}

func or[F any](set bool, own, usual F) F {
	if set {
		return own
	}
	return usual
}

func (b books) Timer(s *book) int64 {
	return or(b.timer != nil, b.timer, func(s *book) int64 { return s.Bell })(s)
}
func (b books) View(s *book, uid string) any {
	return or(b.view != nil, b.view, func(s *book, uid string) any { return s.Sums[uid] })(s, uid)
}
func (b books) Label(s *book) any { return or(b.label != nil, b.label, b.Defaults.Label)(s) }
func (b books) Admit(s *book, u table.User) error {
	return or(b.admit != nil, b.admit, b.Defaults.Admit)(s, u)
}
func (b books) Busy(s *book) bool { return or(b.busy != nil, b.busy, b.Defaults.Busy)(s) }
func (b books) Encode(s *book) ([]byte, error) {
	return or(b.encode != nil, b.encode, b.Defaults.Encode)(s)
}
func (b books) Decode(version int, data []byte) (*book, error) {
	return or(b.decode != nil, b.decode, func(data []byte) (*book, error) { return b.Defaults.Decode(version, data) })(data)
}

var script = []Line{
	Joined("ann"), Joined("bob"), Joined("cy").Guest(),
	User("ann", "add", `{"n":1}`),
	User("ann", "add", `{"n":0}`).Refused(),
	Service("add", `{"n":1}`).Refused(),
	Together(User("ann", "add", `{"n":2}`), User("bob", "add", `{"n":3}`), User("cy", "add", `{"n":4}`)),
	Wait(10 * time.Second), Left("bob"), TookOver(), User("bob", "add", `{"n":5}`), Wait(time.Hour),
}

// TestRight: nothing is found in rules that are right.
func TestRight(t *testing.T) { Run(t, books{}, script...) }

var (
	calls   int         // of rules that count
	members []string    // that rules have seen, at any table
	shared  = newBook() // that tables share
	told    = map[string]bool{}
	zero    int
)

// TestFinds: each fault is found, and named.
func TestFinds(t *testing.T) {
	calls, members, shared, told = 0, nil, newBook(), map[string]bool{}
	happened := func(s *book, c table.Command, uid string, n int) ([]table.Event, error) {
		if c.Type != "add" || c.User.From != table.FromUser || c.Payload == nil {
			return nil, nil
		}
		return []table.Event{table.Happened("added", added{uid, n, s.Bell})}, nil
	}
	for name, c := range map[string]struct {
		rules books
		says  string
	}{
		"Decide changes the state": {books{decide: func(s *book, c table.Command) ([]table.Event, error) { s.Sums["seen"]++; return nil, nil }}, "only Apply may change"},
		"Decide changes the command": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			if len(c.Payload) > 0 {
				c.Payload[0] = ' '
			}
			return nil, table.Refuse("no")
		}}, "changes the payload"},
		"Decide looks at a clock": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			return happened(s, c, c.User.UID, time.Now().YearDay())
		}}, "taken again"},
		"Decide throws dice": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			return happened(s, c, c.User.UID, rand.IntN(6))
		}}, "taken again"},
		"Decide goes by the order of a map": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			for uid := range s.Sums {
				if len(s.Sums) > 1 {
					return happened(s, c, uid, 1)
				}
			}
			return nil, nil
		}}, "taken again"},
		"Decide counts its calls": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			calls++
			return happened(s, c, c.User.UID, calls)
		}}, "taken again"},
		"a refusal says the time": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			return nil, table.Refuse("not at %v", time.Now())
		}}, "taken again"},
		"Decide remembers other tables": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			if uid := c.User.UID; c.User.From == table.FromUser && !told[uid] && c.Type == "add" && s.Sums[uid] > 0 {
				told[uid] = true
			}
			if told["ann"] && s.Sums["ann"] == 0 {
				return happened(s, c, "ann", 50)
			}
			return nil, nil
		}}, "differs"},
		"Decide returns what is not JSON": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			return []table.Event{{Type: "added", Payload: json.RawMessage(`{"uid":`)}}, nil
		}}, "not JSON"},
		"Decide returns an event without a type": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			return []table.Event{table.Happened("", 1)}, nil
		}}, "an event \"\""},
		"Decide returns what Apply refuses": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			if c.Type == "send_message" {
				return []table.Event{table.Happened("said", "hi")}, nil
			}
			return nil, nil
		}}, "does not take what Decide has decided"},
		"Decide panics on a payload that is absent": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			if c.Type == "add" && c.Payload[0] != '{' {
				return nil, table.Refuse("an object")
			}
			return nil, nil
		}}, "panic"},
		"Decide panics on a number": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			if p, err := table.Read[struct{ N int }](c); err == nil && p.N > 1<<40 {
				return happened(s, c, "x", 100/zero)
			}
			return nil, nil
		}}, "panic"},
		"Decide takes users to be there": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			if c.Type == table.TypeLeft && s.Sums[c.User.UID] == 0 && len(s.Sums) > 0 {
				panic("who is that?")
			}
			return nil, nil
		}}, "panic"},
		"Apply looks at a clock": {books{apply: func(s *book, ev table.Event) (*book, error) {
			s.Order = append(s.Order, time.Now().Format(time.DateOnly))
			return add(s, ev)
		}}, "written down and read before added"},
		"Apply throws dice": {books{apply: func(s *book, ev table.Event) (*book, error) {
			s.Order = append(s.Order, fmt.Sprint(rand.Uint64()))
			return add(s, ev)
		}}, "written down and read before added"},
		"Apply goes by the order of a map": {books{apply: func(s *book, ev table.Event) (*book, error) {
			s.Order = nil
			for uid := range s.Sums {
				s.Order = append(s.Order, uid)
			}
			return add(s, ev)
		}}, "written down and read before added"},
		"Apply keeps the payload": {books{apply: func(s *book, ev table.Event) (*book, error) {
			s.kept = ev.Payload
			return add(s, ev)
		}, encode: func(s *book) ([]byte, error) { return json.Marshal([]any{s, s.kept}) },
			decode: func(data []byte) (*book, error) {
				s := newBook()
				return s, json.Unmarshal(data, &[]any{s, &s.kept})
			}}, "not its own"},
		"Apply writes into the payload": {books{apply: func(s *book, ev table.Event) (*book, error) {
			s, err := add(s, ev)
			ev.Payload[0] = ' '
			return s, err
		}}, "changes the payload"},
		"Encode forgets": {books{apply: func(s *book, ev table.Event) (*book, error) {
			s.hidden++
			s.Sums["events"] = s.hidden
			return add(s, ev)
		}}, "written down and read before added"},
		"Encode forgets what only Decide goes by": {books{apply: func(s *book, ev table.Event) (*book, error) {
			s.hidden++
			return add(s, ev)
		}, decide: func(s *book, c table.Command) ([]table.Event, error) {
			if s.hidden > 3 {
				return nil, table.Refuse("enough")
			}
			return nil, nil
		}}, "written down and read"},
		"Encode goes by the order of a map": {books{encode: func(s *book) ([]byte, error) {
			var b strings.Builder
			for uid, n := range s.Sums {
				fmt.Fprintf(&b, "%q:%d,", uid, n)
			}
			return []byte(fmt.Sprintf(`{"sums":{%s},"bell":%d}`, strings.TrimSuffix(b.String(), ","), s.Bell)), nil
		}}, "differs"},
		"Encode fails": {books{encode: func(s *book) ([]byte, error) {
			if s.Sums["bob"] > 0 {
				return nil, errors.New("no bobs")
			}
			return json.Marshal(s)
		}}, "no bobs"},
		"Decode fails": {books{decode: func(data []byte) (*book, error) {
			s := newBook()
			if err := json.Unmarshal(data, s); err != nil || s.Sums["bob"] > 0 {
				return nil, errors.New("no bobs")
			}
			return s, nil
		}}, "no bobs"},
		"Decode keeps the bytes": {books{
			apply: func(s *book, ev table.Event) (*book, error) { s.kept = nil; return add(s, ev) },
			encode: func(s *book) ([]byte, error) {
				if s.kept != nil {
					return s.kept, nil
				}
				return json.Marshal(s)
			},
			decode: func(data []byte) (*book, error) {
				s := newBook()
				s.kept = data
				return s, json.Unmarshal(data, s)
			}}, "differs"},
		"View changes the state": {books{view: func(s *book, uid string) any { s.Sums[uid]++; return nil }}, "differs"},
		"View looks at a clock":  {books{view: func(s *book, uid string) any { return time.Now() }}, "View of"},
		"View goes by a map's order": {books{view: func(s *book, uid string) any {
			for uid := range s.Sums {
				return uid
			}
			return nil
		}}, "View of"},
		"View is not JSON":          {books{view: func(s *book, uid string) any { return func() {} }}, "not JSON"},
		"View panics on a stranger": {books{view: func(s *book, uid string) any { return 1 / (s.Sums[uid] + len(uid)) }}, "panic"},
		"Label looks at a clock":    {books{label: func(s *book) any { return time.Now() }}, "Label"},
		"Label grows too long":      {books{label: func(s *book) any { return strings.Repeat("x", 100*len(s.Sums)) + strings.Repeat("y", 200) }}, "may have 512"},
		"Label is not JSON":         {books{label: func(s *book) any { return make(chan int) }}, "not JSON"},
		"Timer looks at a clock":    {books{timer: func(s *book) int64 { return time.Now().UnixMilli() + 1e12 }}, "Timer"},
		"Timer never moves on":      {books{timer: func(s *book) int64 { return int64(len(s.Sums)) }}, "for ever"},
		"Busy throws dice":          {books{busy: func(s *book) bool { return rand.IntN(2) == 0 }}, "Busy"},
		"Admit remembers other tables": {books{admit: func(s *book, u table.User) error {
			members = append(members, u.UID)
			if len(members) > 10 {
				return table.Refuse("%d were here", len(members))
			}
			return nil
		}}, "Admit of"},
		"the order of Together matters": {books{apply: func(s *book, ev table.Event) (*book, error) {
			s.Order = append(s.Order, string(ev.Payload))
			return add(s, ev)
		}}, "in another order"},
		"New is always the same":     {books{empty: func() *book { return shared }}, "keep nothing but the state"},
		"a refusal that must not be": {books{decide: func(s *book, c table.Command) ([]table.Event, error) { return nil, table.Refuse("closed") }}, "it is refused: closed"},
		"no refusal where one is due": {books{decide: func(s *book, c table.Command) ([]table.Event, error) {
			return happened(s, c, c.User.UID, 1)
		}}, "it is not refused"},
	} {
		t.Run(name, func(t *testing.T) {
			err := check(t, c.rules, script)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("found %v, want one that says %q", err, c.says)
			} else {
				t.Logf("%.300s", strings.SplitN(err.Error(), "\n", 2)[0])
			}
		})
	}
}
