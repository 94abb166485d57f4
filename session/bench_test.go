package session

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// idlePeersEnv makes the test binary a process of idle peers, so that the
// memory of the benchmark's own process is the server's: address and number.
const idlePeersEnv = "SESSION_TEST_IDLE_PEERS"

// idlePeers connects, says so, and waits for the end of its standard input.
func idlePeers(spec string) error {
	addr, number, _ := strings.Cut(spec, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	for i := range n {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		request := strings.Replace(upgradeRequest, "/ws", text("/ws?room=r%d", i/10), 1)
		if _, err := io.WriteString(conn, request); err != nil {
			return err
		}
		go func() { _, _ = io.Copy(io.Discard, conn) }()
	}
	if _, err := os.Stdout.WriteString("connected\n"); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// What an idle connection in a room of ten holds, stacks and room included; the
// peers are another process.
func BenchmarkIdleConnection(b *testing.B) {
	const peers = 1000
	for b.Loop() {
		s := newStack(b)
		before := inUse()
		goroutines := runtime.NumGoroutine()
		cmd := exec.CommandContext(b.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), idlePeersEnv+"="+text("%s %d", s.addr(), peers))
		stdin, err := cmd.StdinPipe()
		must(b, err)
		must(b, cmd.Start())
		eventually(b, "all are in their rooms", func() bool {
			in := int64(0)
			for _, room := range s.eng.RoomsHere() {
				in += room.Sessions
			}
			return in == peers
		})
		<-tick(1500) // presence is told, buffers of HTTP are given up
		b.ReportMetric(float64(inUse()-before)/1024/peers, "KB/conn")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/peers, "goroutines/conn")
		must(b, stdin.Close())
		must(b, cmd.Wait())
		s.m.Close()
	}
}

// inUse is heap and stacks.
func inUse() int64 {
	heap := heapInUse()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return heap + int64(m.StackInuse)
}

// One talker and many members of one room, through the whole stack; the talker
// is ahead of its own copies by at most 64 messages of 128 bytes. One
// operation is one delivery. The members, which only count bytes, are in the
// same process and cost about as much as the server.
func BenchmarkFanOut(b *testing.B) {
	for _, members := range []int{10, 1000} {
		b.Run(strconv.Itoa(members), func(b *testing.B) { fanOut(b, members) })
	}
}

func fanOut(b *testing.B, members int) {
	s := newStack(b, func(set *setup) { set.cfg.QueueMessages, set.cfg.QueueBytes = 1024, 4<<20 })
	talker := s.user("talker")
	events := b.N/members + 1
	var work, all sync.WaitGroup
	for range members {
		raw := s.dialFrames()
		work.Go(func() { raw.count(events, &all) })
	}
	eventually(b, "all are in the room", func() bool { return usersOf(s) == int64(members)+1 })
	message := wire.SendMessage{Message: strings.Repeat("x", 128)}
	ahead := make(chan struct{}, 64)
	work.Go(func() { // the talker's own copies
		for {
			ev, err := talker.next()
			if err != nil {
				return
			}
			if ev.Type == wire.TypeNewMessage {
				<-ahead
			}
		}
	})
	all.Add(members)
	b.ResetTimer()
	for range events {
		ahead <- struct{}{}
		talker.send(wire.TypeSendMessage, "", "", message)
	}
	all.Wait()
	b.StopTimer()
	s.m.Close()
	work.Wait()
}

// count reads to the end of the connection, and says when it has seen n messages.
func (raw *rawConn) count(n int, all *sync.WaitGroup) {
	for {
		op, payload, err := raw.frame()
		switch {
		case err != nil || op == 8:
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				raw.t.Error(err)
			}
			return
		case op == 1 && strings.HasPrefix(string(payload), `{"type":"new_message"`):
			if n--; n == 0 {
				all.Done()
			}
		}
	}
}
