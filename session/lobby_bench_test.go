package session

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/lobby"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// BenchmarkLobby is a thousand clients of one node that ask for a page of 100
// out of 10,000 rooms, which are open on another node, all at once, and then
// again. One operation is an answer, read by its client, which shares the
// processor; the bytes are those of answers.
func BenchmarkLobby(b *testing.B) {
	const open, askers = 10_000, 1000
	s := newStack(b)
	other, err := rooms.New(b.Context(), s.nats, rooms.Config{Node: "n2", Memory: true})
	must(b, err)
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		must(b, other.Close(ctx))
	})
	one := quietMember{}
	for i := range open {
		must(b, other.Join(b.Context(), wire.Room(text("table-%05d", i)), one, "", rooms.Since{}))
	}
	eventually(b, "all rooms are listed", func() bool {
		page, err := s.eng.Lobby(b.Context(), lobby.Query{After: text("table-%05d", open-2)})
		return err == nil && len(page.List) == 1
	})
	peers := make([]*peer, askers)
	for i := range peers {
		peers[i] = s.user(fmt.Sprint("u", i))
	}
	var bytes, rounds atomic.Int64
	var slowest time.Duration
	gathered, cpu := s.eng.Stats().LobbyGathered.Load(), processCPU()
	b.ResetTimer()
	for done := 0; done < b.N; done += askers {
		rounds.Add(1)
		began := time.Now()
		var all sync.WaitGroup
		for i, p := range peers {
			all.Go(func() {
				p.send(wire.TypeGetRooms, "", "", wire.GetRooms{After: text("table-%05d", i*9)})
				bytes.Add(int64(len(p.awaitType(wire.TypeRooms).Payload)))
			})
		}
		all.Wait()
		slowest = max(slowest, time.Since(began))
	}
	n := float64(rounds.Load() * askers)
	b.ReportMetric(float64((processCPU()-cpu).Microseconds())/n, "cpu-µs/answer")
	b.ReportMetric(float64(bytes.Load())/n, "B/answer")
	b.ReportMetric(float64(slowest.Milliseconds()), "ms-for-all")
	b.ReportMetric(float64(s.eng.Stats().LobbyGathered.Load()-gathered), "lists")
}

func processCPU() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// quietMember takes everything and does nothing with it.
type quietMember struct{}

func (quietMember) ID() string                 { return "quiet" }
func (quietMember) User() wire.User            { return wire.User{UID: "quiet", Username: "quiet"} }
func (quietMember) Deliver(*rooms.Burst) error { return nil }
func (quietMember) Left(wire.Room)             {}
func (quietMember) Close(wire.CloseCode)       {}
