package table_test

import (
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// shout is a text that its type reads itself.
type shout int

func (s *shout) UnmarshalText(text []byte) error {
	if string(text) != "hey" {
		return table.Refuse("a shout is hey, not %s", text)
	}
	return nil
}

// TestReadSaysWhatMustBeWhat: who sends what does not fit is told which field must be what, in words, not in types of a program.
func TestReadSaysWhatMustBeWhat(t *testing.T) {
	type bet struct {
		Round  int8
		Amount int64 `json:"amount"`
		On     string
		Odds   float64
		Sure   bool
		Spots  []string
		Inner  struct{ Deep uint }
		Shout  *shout
	}
	for payload, want := range map[string]string{
		`{"amount":"ten"}`:                   "amount must be a whole number, not a text",
		`{"round":1.5}`:                      "round must be a whole number, not 1.5",
		`{"round":1,"ROUND":1000,"Round":2}`: "ROUND is out of range: 1000",
		`{"ROUND":1000}`:                     "ROUND is out of range: 1000",
		`{"round":{}}`:                       "round must be a whole number, not an object",
		`{"on":5}`:                           "on must be a text, not a number",
		`{"odds":"x"}`:                       "odds must be a number, not a text",
		`{"sure":[]}`:                        "sure must be true or false, not a list",
		`{"spots":true}`:                     "spots must be a list, not true or false",
		`{"spots":[1]}`:                      "spots must be a text, not a number",
		`{"inner":"x"}`:                      "inner must be an object, not a text",
		`{"inner":{"Deep":-1}}`:              "inner.Deep is out of range: -1",
		`{"shout":8}`:                        "shout must be a text, not a number",
		`{"shout":"hello"}`:                  "a shout is hey, not hello",
		`[]`:                                 "it must be an object, not a list",
		`"place it"`:                         "it must be an object, not a text",
		`{"amount":1e400}`:                   "amount must be a whole number, not 1e400",
		`{"amount":9999999999999999999}`:     "amount is out of range: 9999999999999999999",
	} {
		_, err := table.Read[bet](table.Command{Type: "place_bet", Payload: []byte(payload)})
		if err == nil {
			t.Errorf("%s fits", payload)
			continue
		}
		if got, fits := strings.CutPrefix(err.Error(), "the payload of place_bet is not what it should be: "); !fits || got != want {
			t.Errorf("%s: %q, want %q", payload, err, want)
		}
	}
	if got, err := table.Read[bet](table.Command{Type: "place_bet", Payload: []byte(`{"round":3}`)}); err != nil || got.Round != 3 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := table.Read[bet](table.Command{Type: "place_bet"}); err != nil {
		t.Error(err)
	}
}
