package rooms_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// BenchmarkCommands is how many commands a second one table decides, of 100 that
// are always under way, on the embedded server and without members.
func BenchmarkCommands(b *testing.B) {
	eng, _ := start(b, baccaratTables)
	ev := wire.Event{Type: wire.TypeSendMessage, Payload: json.RawMessage(`{"message":"a text of a length that is usual at a table"}`)}
	who := table.User{From: table.FromUser, UID: "ann", Name: "Ann"}
	const underWay = 100
	slots, failed := make(chan struct{}, underWay), make(chan error, 1)
	send := func() {
		slots <- struct{}{}
		eng.Command("baccarat-1", ev, rooms.CommandOptions{User: who}, func(_ rooms.Decision, err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
			<-slots
		})
	}
	send() // opens it
	b.ResetTimer()
	for range b.N {
		send()
	}
	for range underWay {
		slots <- struct{}{}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
	select {
	case err := <-failed:
		b.Fatal(err)
	default:
	}
}

// BenchmarkIdleTables is what a table takes in memory that nobody is at and that
// has decided once: its owner, its state and its keys.
func BenchmarkIdleTables(b *testing.B) {
	const tables = 1000
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc + m.StackInuse)
	}
	for b.Loop() {
		eng, _ := start(b, baccaratTables)
		before := heap()
		done := make(chan error, tables)
		for i := range tables {
			eng.Command(wire.Room(fmt.Sprint("baccarat-", i)), wire.Event{Type: wire.TypeSendMessage, Payload: json.RawMessage(`{"message":"hi"}`)},
				rooms.CommandOptions{ID: "one", User: table.User{From: table.FromUser, UID: "ann"}}, func(_ rooms.Decision, err error) { done <- err })
		}
		for range tables {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(heap()-before)/tables/1024, "KB/table")
		closeEngine(b, eng)
	}
}
