package session

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/socket"
)

// Of those who begin a message and do not end it the ones who wait for the
// longest are closed when all together hold too much; who ends it in time is not
// among them.
func TestUnfinishedMessages(t *testing.T) {
	bubble(t, Config{UnfinishedBytes: 1, MaxMessage: 16 << 10}, func(t *testing.T, m *Manager) {
		same(t, "the bound", m.unfinished.maxBytes, 4*16<<10)
		whitespace := append([]byte(`{"type":"heartbeat"}`), bytes.Repeat([]byte(" "), 15000)...)
		frame := clientFrame(0x81, whitespace)
		var clients []*Client
		arrive := func() (c *Client, peer net.Conn) {
			ours, theirs := net.Pipe()
			must(t, m.reserveAlways(address{}))
			c = m.newClient(socket.Conn{Conn: ours}, ann, address{})
			c.in = socket.NewReader(c.conn, false, (*frameHandler)(c))
			m.start(c)
			go c.run([]firstRoom{{name: wire.Inbox(ann.UID)}}, 0)
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			clients = append(clients, c)
			_, err := theirs.Write(frame[:len(frame)-10])
			must(t, err)
			synctest.Wait()
			return c, theirs
		}
		whole, peer := arrive()
		_, err := peer.Write(frame[len(frame)-10:])
		must(t, err)
		synctest.Wait()
		same(t, "held of a message that is complete", m.UnfinishedBytes(), int64(0))
		for range 8 {
			arrive()
		}
		if held := m.UnfinishedBytes(); held > m.unfinished.maxBytes || held < 15000 {
			t.Errorf("%d bytes are held; at most %d may be, and some are", held, m.unfinished.maxBytes)
		}
		same(t, "the close code of who ended its message", whole.closeCode(), 0)
		cut := int64(0)
		for n, c := range clients[1:] {
			if c.closeCode() != 0 {
				same(t, text("the close code of client %d", n), c.closeCode(), wire.CloseTooSlow)
				<-c.Done() // no time has passed: its goodbye is not waited for
				same(t, "who is cut came before all that are not", int64(n), cut)
				cut++
			}
		}
		if cut == 0 || cut == 8 {
			t.Errorf("%d of 8 were cut, want some", cut)
		}
		same(t, "UnfinishedCut", m.Stats().UnfinishedCut.Load(), cut)
		for _, c := range clients {
			m.RemoveClient(c, wire.CloseNormal)
			<-c.Done()
		}
		same(t, "held when all have gone", m.UnfinishedBytes(), int64(0))
	})
}
