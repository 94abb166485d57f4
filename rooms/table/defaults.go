package table

import "encoding/json"

// Defaults is embedded in rules that need less than all of a table: with it they
// have New, Decide and Apply to say, and whatever else they want to be otherwise.
//
// It writes the state down as JSON and shows the same to everybody. So a state
// with unexported fields needs its own Encode and Decode, and one with something
// that not everybody may see its own View.
type Defaults[S any] struct{}

// Version implements Rules: 1.
func (Defaults[S]) Version() int { return 1 }

// Timer implements Rules: nothing happens by itself.
func (Defaults[S]) Timer(S) int64 { return 0 }

// Busy implements Rules: nothing happens while nobody is there.
func (Defaults[S]) Busy(S) bool { return false }

// View implements Rules: everybody sees all of the state.
func (Defaults[S]) View(state S, _ string) any { return state }

// Admit implements Rules: everybody may join.
func (Defaults[S]) Admit(S, User) error { return nil }

// Label implements Rules: there is none.
func (Defaults[S]) Label(S) any { return nil }

// Encode implements Rules: JSON.
func (Defaults[S]) Encode(state S) ([]byte, error) { return json.Marshal(state) }

// Decode implements Rules: JSON, of any version.
func (Defaults[S]) Decode(_ int, data []byte) (state S, err error) {
	return state, json.Unmarshal(data, &state)
}
