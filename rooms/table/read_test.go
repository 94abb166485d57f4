package table_test

import (
	"encoding/json"
	"fmt"
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
		`{"amount":"ten"}`:               "amount must be a whole number, not a text",
		`{"round":1.5}`:                  "round must be a whole number, not 1.5",
		`{"round":1000}`:                 "round is out of range: 1000",
		`{"round":{}}`:                   "round must be a whole number, not an object",
		`{"on":5}`:                       "on must be a text, not a number",
		`{"odds":"x"}`:                   "odds must be a number, not a text",
		`{"sure":[]}`:                    "sure must be true or false, not a list",
		`{"spots":true}`:                 "spots must be a list, not true or false",
		`{"spots":[1]}`:                  "spots must be a text, not a number",
		`{"inner":"x"}`:                  "inner must be an object, not a text",
		`{"inner":{"deep":-1}}`:          "inner.Deep is out of range: -1",
		`{"shout":8}`:                    "shout must be a text, not a number",
		`{"shout":"hello"}`:              "a shout is hey, not hello",
		`[]`:                             "it must be an object, not a list",
		`"place it"`:                     "it must be an object, not a text",
		`{"amount":1e400}`:               "amount must be a whole number, not 1e400",
		`{"amount":9999999999999999999}`: "amount is out of range: 9999999999999999999",
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

// TestReadTakesEachNameOnce: a payload that two readers could take for two different ones is refused: a name twice, wherever it is, and one
// of another case than the rules have.
func TestReadTakesEachNameOnce(t *testing.T) {
	type embedded struct {
		Tip int `json:"tip"`
	}
	type bet struct {
		embedded
		Amount  int64 `json:"amount"`
		On      string
		TableID string
		Spots   []struct{ Name string }
		ByUser  map[string]struct{ Stake int } `json:"by_user"`
		Free    any
		Raw     json.RawMessage
		Hidden  int `json:"-"`
		Inner   *struct{ Deep int }
	}
	for payload, want := range map[string]string{
		`{"amount":20,"amount":1000}`:    "amount is there twice; write it once",
		`{"amount":20,"am\u006funt":20}`: "amount is there twice; write it once",
		`{"amount":20,"Amount":1000}`:    "write amount, not Amount",
		`{"AMOUNT":20}`:                  "write amount, not AMOUNT",
		`{"On":"tie"}`:                   "write on, not On",
		`{"tableid":"x"}`:                "write tableID, not tableid",
		`{"Tip":1}`:                      "write tip, not Tip",
		`{"spots":[{"name":"a"},{"name":"b","name":"c"}]}`:  "spots.name is there twice; write it once",
		`{"spots":[{"Name":"a"}]}`:                          "write spots.name, not spots.Name",
		`{"by_user":{"ann":{"stake":1},"ann":{"stake":2}}}`: "by_user.ann is there twice; write it once",
		`{"by_user":{"ann":{"Stake":1}}}`:                   "write by_user.ann.stake, not by_user.ann.Stake",
		`{"inner":{"deep":1,"deep":1}}`:                     "inner.deep is there twice; write it once",
		`{"free":{"x":1,"x":2}}`:                            "free.x is there twice; write it once",
		`{"raw":{"x":{"y":1,"y":2}}}`:                       "raw.x.y is there twice; write it once",
		`{"nobody":1,"nobody":2}`:                           "nobody is there twice; write it once",
		`{"nobody":[[{"x":1,"x":2}]]}`:                      "nobody.x is there twice; write it once",
	} {
		_, err := table.Read[bet](table.Command{Type: "place_bet", Payload: []byte(payload)})
		if got := fmt.Sprint(err); got != "the payload of place_bet is not what it should be: "+want {
			t.Errorf("%s: %q, want %q", payload, got, want)
		}
	}
	const fits = `{"amount":20,"on":"tie","tableID":"x","tip":1,"spots":[{"name":"a"},{"name":"b"}],"by_user":{"ann":{"stake":1},"Ann":{"stake":2}},` +
		`"free":{"x":1,"X":2},"raw":{"Amount":1},"hidden":1,"Hidden":2,"more":{"amount":1,"Amount":2},"inner":{"deep":1}}`
	got, err := table.Read[bet](table.Command{Type: "place_bet", Payload: []byte(fits)})
	if err != nil || got.Amount != 20 || got.On != "tie" || got.TableID != "x" || got.Tip != 1 || got.Spots[1].Name != "b" || got.ByUser["Ann"].Stake != 2 || got.Inner.Deep != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}
