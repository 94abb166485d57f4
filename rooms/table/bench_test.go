package table_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// talk are rules that have people talk, and do nothing else.
type talk struct{}

func (talk) Version() int                                         { return 1 }
func (talk) New() int                                             { return 0 }
func (talk) Decide(_ int, c table.Command) ([]table.Event, error) { return table.Chat(c) }
func (talk) Apply(n int, _ table.Event) (int, error)              { return n + 1, nil }
func (talk) Timer(int) int64                                      { return 0 }
func (talk) Busy(int) bool                                        { return false }
func (talk) View(n int, _ string) any                             { return n }
func (talk) Admit(int, table.User) error                          { return nil }
func (talk) Label(int) any                                        { return nil }
func (talk) Encode(n int) ([]byte, error)                         { return json.Marshal(n) }
func (talk) Decode(_ int, data []byte) (n int, err error)         { return n, json.Unmarshal(data, &n) }

// BenchmarkDecide is what deciding costs by itself: of one command, and of one of
// a hundred in a step.
func BenchmarkDecide(b *testing.B) {
	for _, many := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d in a step", many), func(b *testing.B) {
			log := table.NewLog(table.Of(talk{}), "node", 64)
			list := make([]table.Request, many)
			now, seq := int64(1_800_000_000_000), uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				for i := range list {
					seq++
					id := fmt.Sprint(seq)
					list[i] = table.Request{
						Command: table.Command{Type: "send_message", Payload: json.RawMessage(`{"message":"a text of a length that is usual where people talk to each other at a table"}`), User: table.User{From: table.FromUser, UID: "guest-aaaaaaaaaaaaaaaa", Name: "percy", Guest: true}},
						Key:     table.KeyOf(table.FromUser, "guest-aaaaaaaaaaaaaaaa", id), At: now, Ref: i,
					}
				}
				now += 3000 // which never are more than it remembers
				step, _, err := log.Decide(now, list)
				if err != nil || step == nil {
					b.Fatal(err)
				}
				if answers := log.Stored(seq); len(answers) != many {
					b.Fatal(len(answers))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*many), "ns/decision")
		})
	}
}
