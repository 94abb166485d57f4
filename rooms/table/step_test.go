package table_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// mirror says what it is told: its state is all of that, and a command of
// nothing is refused.
type mirror struct{}

func (mirror) Version() int                           { return 1 }
func (mirror) New() string                            { return "" }
func (mirror) Timer(string) int64                     { return 0 }
func (mirror) Busy(string) bool                       { return false }
func (mirror) Admit(string, table.User) error         { return nil }
func (mirror) Label(string) any                       { return nil }
func (mirror) View(s string, _ string) any            { return s }
func (mirror) Encode(s string) ([]byte, error)        { return []byte(s), nil }
func (mirror) Decode(_ int, d []byte) (string, error) { return string(d), nil }

func (mirror) Apply(s string, ev table.Event) (string, error) {
	var text string
	err := json.Unmarshal(ev.Payload, &text)
	return s + ev.Type + " " + text + ";", err
}

func (mirror) Decide(_ string, c table.Command) ([]table.Event, error) {
	if c.Payload == nil {
		return nil, table.Refuse("nothing for %s", c.User.Name)
	}
	var events []table.Event // by the names that Go has for its fields, which Read does not take
	err := json.Unmarshal(c.Payload, &events)
	if err == nil && len(events) == 0 {
		err = table.Refuse("nothing for %s", c.User.Name)
	}
	return events, err
}

// say is a command that has the mirror tell events, each with its type as its
// text.
func say(id int, events ...table.Event) table.Request {
	for i := range events {
		events[i].Payload = table.Happened("", events[i].Type).Payload
	}
	payload, err := json.Marshal(events)
	if err != nil {
		panic(err)
	}
	return table.Request{Command: table.Command{Type: "say", Payload: payload, User: table.User{From: table.FromUser, UID: "u", Name: "ann"}}, Key: table.Key(id), Ref: id}
}

// backwards is a seal that anybody can open.
func backwards(text []byte) []byte {
	out := bytes.Clone(text)
	for i := range out {
		out[i] ^= 0xff
	}
	return out
}

func reveal(sealed []byte) ([]byte, error) { return backwards(sealed), nil }

// TestHide: what is not for everybody, whom it is for and why somebody was refused
// is in a stored step only sealed; revealed it is again what was decided.
func TestHide(t *testing.T) {
	log := table.NewLog(table.Of(mirror{}), "n", 1)
	step, _, err := log.Decide(1, []table.Request{
		say(1, table.Event{Type: "open-one"}, table.Event{Type: "to-some", To: []string{"some-user"}}, table.Event{Type: "kept", Sealed: true}, table.Event{Type: "open-two"}),
		say(2),
		say(3, table.Event{Type: "to-nobody", To: []string{}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	decided := fmt.Sprintf("%+v", *step)
	hidden, err := step.Hide(backwards)
	if err != nil {
		t.Fatal(err)
	}
	if now := fmt.Sprintf("%+v", *step); now != decided {
		t.Errorf("Hide has made %s of %s", now, decided)
	}
	body, err := json.Marshal(hidden)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"to-some", "some-user", "kept", "to-nobody", "nothing for", "ann"} {
		if strings.Contains(string(body), secret) {
			t.Errorf("%s shows %s", body, secret)
		}
	}
	if !strings.Contains(string(body), `"events":[{"type":"open-one","payload":"open-one"},{"type":"open-two","payload":"open-two"}]`) {
		t.Errorf("%s does not show what is open", body)
	}
	read, err := table.DecodeStep(body)
	if err != nil {
		t.Fatal(err)
	}
	other := table.NewLog(table.Of(mirror{}), "m", 1)
	if err := other.Take(7, read); err == nil {
		t.Error("a step that hides something was taken")
	}
	if err := read.Reveal(reveal); err != nil {
		t.Fatal(err)
	}
	if err := other.Take(7, read); err != nil {
		t.Fatal(err)
	}
	want := `"open-one open-one;to-some to-some;kept kept;open-two open-two;to-nobody to-nobody;"`
	if view, err := other.View(""); err != nil || string(view) != want {
		t.Errorf("the state is %s, %v; want %s", view, err, want)
	}
	_, answers, err := other.Decide(2, []table.Request{say(2)})
	if err != nil || len(answers) != 1 || answers[0].Refused != "nothing for ann" {
		t.Errorf("sent again it is answered %+v, %v", answers, err)
	}
}

// TestReveal: what is hidden belongs where it was.
func TestReveal(t *testing.T) {
	for _, text := range []string{
		`{"events":[{"at":2,"event":{"type":"x"}}]}`, `{"events":[{"at":-1,"event":{"type":"x"}}]}`,
		`{"refused":[{"at":1,"reason":"x"}]}`, `{"refused":[{"at":-1,"reason":"x"}]}`, `nothing`,
	} {
		step := table.Step{Done: make([]table.Done, 1), Events: make([]table.StoredEvent, 1), Hidden: backwards([]byte(text))}
		if err := step.Reveal(reveal); err == nil {
			t.Errorf("%s was revealed: %+v", text, step)
		}
	}
	step := table.Step{Hidden: []byte("x")}
	if err := step.Reveal(func([]byte) ([]byte, error) { return nil, errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("of what does not open: %v", err)
	}
	if _, err := new(table.Step).Hide(func([]byte) []byte { panic("nothing is to be sealed") }); err != nil {
		t.Error(err)
	}
}

// TestStepBytes: what waits is decided in several steps when it is much, each
// command once, in order, and none of them split.
func TestStepBytes(t *testing.T) {
	log := table.NewLog(table.Of(mirror{}), "n", 0)
	var list []table.Request
	const commands = 40
	for i := range commands {
		typ := fmt.Sprintf("%d-%s", i, strings.Repeat("x", 5_000))
		list = append(list, say(i+1, table.Event{Type: typ}, table.Event{Type: typ}))
	}
	var decided []any
	steps := 0
	for ; len(list) > 0; steps++ {
		step, answers, err := log.Decide(1, list)
		if err != nil || step == nil || len(answers) > 0 || len(step.Events)%2 != 0 {
			t.Fatalf("%v, %v, %v", step != nil, answers, err)
		}
		body, err := json.Marshal(step)
		if err != nil || len(body) > table.StepBytes+25_000 {
			t.Fatalf("a step of %d bytes, %v", len(body), err)
		}
		list = log.Left()
		for _, a := range log.Stored(uint64(steps + 1)) {
			decided = append(decided, a.Ref)
		}
	}
	if steps < 3 || len(decided) != commands {
		t.Fatalf("%d steps decide %d", steps, len(decided))
	}
	for i, ref := range decided {
		if ref != i+1 {
			t.Fatalf("%v was decided as number %d", ref, i)
		}
	}
}

// TestEngineCommands: what only the engine says is refused from everybody else, and
// the rules are not asked.
func TestEngineCommands(t *testing.T) {
	log := table.NewLog(table.Of(mirror{}), "n", 0)
	for _, typ := range []string{table.TypeTimer, table.TypeJoined, table.TypeLeft, table.TypeTookOver} {
		for _, from := range []table.From{table.FromUser, table.FromService} {
			req := say(0, table.Event{Type: "told"})
			req.Type, req.User.From = typ, from
			step, _, err := log.Decide(1, []table.Request{req})
			if err != nil || step == nil || len(step.Events) > 0 {
				t.Fatalf("%s: %+v, %v", typ, step, err)
			}
			if a := log.Stored(log.Last() + 1); len(a) != 1 || !strings.Contains(a[0].Refused, typ) {
				t.Errorf("%s is answered %+v", typ, a)
			}
		}
	}
}

// TestSkip: what no node wrote is passed over, and the next step belongs behind it.
func TestSkip(t *testing.T) {
	log := table.NewLog(table.Of(mirror{}), "n", 0)
	log.Skip(3)
	step, _, err := log.Decide(1, []table.Request{say(1, table.Event{Type: "one"})})
	if err != nil || step.Prev != 3 {
		t.Fatalf("%+v, %v", step, err)
	}
	log.Stored(4)
	log.Skip(2)
	if log.Last() != 4 {
		t.Errorf("it stands at %d", log.Last())
	}
}
