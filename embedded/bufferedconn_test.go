package embedded

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// pipeTo returns a buffered connection and what the server would have of it.
func pipeTo(t *testing.T) (c *bufferedConn, peer net.Conn) {
	t.Helper()
	end, peer := net.Pipe()
	c = newBufferedConn(end)
	t.Cleanup(func() {
		_ = peer.Close() // neither fails
		_ = c.Close()
	})
	return c, peer
}

// What is sent comes as it was, however it is cut and however much waits.
func TestBufferedConnCarriesAll(t *testing.T) {
	c, peer := pipeTo(t)
	sent := make([]byte, 3*queueBytes)
	for i := range sent {
		sent[i] = byte(rand.Uint32())
	}
	for name, way := range map[string]struct {
		from io.Writer
		to   io.Reader
	}{"to the server": {c, peer}, "from the server": {peer, c}} {
		failed := make(chan error, 1)
		go func() {
			for rest := sent; len(rest) > 0; {
				n, err := way.from.Write(rest[:min(len(rest), 1+rand.N(100_000))])
				if err != nil {
					failed <- err
					return
				}
				rest = rest[n:]
			}
			failed <- nil
		}()
		got := make([]byte, len(sent))
		for at := 0; at < len(got); {
			n, err := way.to.Read(got[at:min(len(got), at+1+rand.N(70_000))])
			if err != nil {
				t.Fatalf("%s: after %d bytes: %v", name, at, err)
			}
			at += n
		}
		if err := <-failed; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("%s: other bytes came than were sent", name)
		}
	}
}

// Who writes does not wait for who reads, until so much waits; then until the
// deadline, and nothing of what was refused comes later.
func TestBufferedConnIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipeTo(t)
		piece := make([]byte, queueBytes/4)
		const most = 4 + 4 // what send has taken, and what waits
		accepted := 0
		for ; accepted <= most; accepted++ {
			if err := c.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			n, err := c.Write(piece)
			if errors.Is(err, os.ErrDeadlineExceeded) && n == 0 {
				break
			}
			if err != nil || n != len(piece) {
				t.Fatalf("write %d: %d bytes, %v", accepted, n, err)
			}
			synctest.Wait()
		}
		if accepted == 0 || accepted > most {
			t.Fatalf("%d pieces were taken, which nobody read", accepted)
		}
		if err := c.SetWriteDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		written := make(chan error, 1)
		go func() {
			_, err := c.Write(piece)
			written <- err
		}()
		synctest.Wait()
		select {
		case err := <-written:
			t.Fatalf("a write into a full buffer did not wait: %v", err)
		default:
		}
		if _, err := io.ReadFull(peer, make([]byte, (accepted+1)*len(piece))); err != nil {
			t.Fatal(err)
		}
		if err := <-written; err != nil {
			t.Errorf("the write that had to wait: %v", err)
		}
		if err := peer.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if n, err := peer.Read(piece); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes more came than were taken, %v", n, err)
		}
	})
}

// A server that writes what nobody reads has to wait at some time.
func TestBufferedConnBoundsTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, peer := pipeTo(t)
		if err := peer.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := peer.Write(make([]byte, 4*queueBytes))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n > queueBytes+2*readBytes {
			t.Errorf("%d bytes were taken, which nobody read: %v", n, err)
		}
	})
}

// A deadline ends a Read that waits already, and its end lets the next one wait.
func TestBufferedConnReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipeTo(t)
		ended := make(chan error, 1)
		read := func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}
		go read()
		synctest.Wait()
		if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read ended with %v", err)
		}
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go read()
		synctest.Wait()
		if _, err := peer.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("Read without a deadline ended with %v", err)
		}
	})
}

// Close ends a Read that waits, hands over what was written, and is the end for
// the server.
func TestBufferedConnClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipeTo(t)
		ended := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
		if _, err := c.Write([]byte("the last words")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read ended with %v", err)
		}
		if got, err := io.ReadAll(peer); err != nil || string(got) != "the last words" {
			t.Errorf("the server got %q, %v", got, err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after Close: %v", err)
		}
	})
}

// A server that reads nothing more does not keep a closed connection.
func TestBufferedConnCloseOfADeafServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipeTo(t)
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := peer.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := peer.Write(make([]byte, readBytes)); err != nil {
				break // the pipe is closed
			}
		}
		if took := time.Since(began); took > closeTimeout {
			t.Errorf("the pipe was closed after %s, want %s", took, closeTimeout)
		}
	})
}

// What the server wrote before it went away is read, then the end.
func TestBufferedConnEndOfTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipeTo(t)
		if _, err := peer.Write([]byte("bye")); err != nil {
			t.Fatal(err)
		}
		if err := peer.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got, err := io.ReadAll(c); err != nil || string(got) != "bye" {
			t.Errorf("read %q, %v", got, err)
		}
		if _, err := c.Write([]byte("x")); err != nil {
			return
		}
		synctest.Wait()
		if _, err := c.Write([]byte("x")); err == nil {
			t.Error("writes to a server that is gone go on for ever")
		}
	})
}
