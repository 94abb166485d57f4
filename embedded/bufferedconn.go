package embedded

import (
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// queueBytes is how many bytes wait in each direction of a connection in
	// process before the sender has to wait; about what a socket's buffers hold.
	queueBytes = 4 << 20
	// queueKept is how large a buffer may have become to be used again. With a
	// quarter of it 100 busy rooms took 5% more CPU, for growing it again.
	queueKept = 1 << 20
	// readBytes is how much is read from the server at once.
	readBytes = 64 << 10
	// closeTimeout is how long a connection that was closed goes on handing the
	// server what was written before.
	closeTimeout = time.Second
)

// inProcess is an nats.InProcessConnProvider of buffered connections.
type inProcess struct{ ns *server.Server }

func (p inProcess) InProcessConn() (net.Conn, error) {
	pipe, err := p.ns.InProcessConn()
	if err != nil {
		return nil, err
	}
	return newBufferedConn(pipe), nil
}

// bufferedConn is one end of a net.Pipe with a buffer in each direction, for one
// goroutine that reads and one that writes at a time. A write to the pipe itself
// ends when all of it was read: the client holds its lock until then, and no
// batch can form. In a socket batches form, but each write and each read is a
// system call, and on a quiet machine waking who waits for them takes longer
// than all the rest.
type bufferedConn struct {
	net.Conn // the pipe
	in, out  *byteQueue

	// owned by the goroutine that reads
	got    []byte // what was taken out of in
	unread []byte // of got
}

func newBufferedConn(pipe net.Conn) *bufferedConn {
	c := &bufferedConn{Conn: pipe, in: newByteQueue(), out: newByteQueue()}
	go c.receive()
	go c.send()
	return c
}

// receive takes what the server writes, until the pipe is closed.
func (c *bufferedConn) receive() {
	buf := make([]byte, readBytes)
	for {
		n, err := c.Conn.Read(buf)
		if n > 0 {
			if _, closed := c.in.put(buf[:n]); closed != nil {
				return
			}
		}
		if err != nil {
			c.in.close(err)
			return
		}
	}
}

// send hands the server what was written. At the end it closes the pipe.
func (c *bufferedConn) send() {
	defer c.Conn.Close() // that of a pipe never fails
	var batch []byte
	for {
		var err error
		if batch, err = c.out.take(batch); err != nil {
			return
		}
		if _, err = c.Conn.Write(batch); err != nil {
			c.out.close(err)
			return
		}
	}
}

// Read implements net.Conn.
func (c *bufferedConn) Read(b []byte) (n int, err error) {
	if len(c.unread) == 0 {
		if c.got, err = c.in.take(c.got); err != nil {
			return 0, err
		}
		c.unread = c.got
	}
	n = copy(b, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}

// Write implements net.Conn. It waits while the buffer is full.
func (c *bufferedConn) Write(b []byte) (int, error) { return c.out.put(b) }

// Close implements net.Conn. What was written is still handed over.
func (c *bufferedConn) Close() error {
	c.in.close(net.ErrClosed)
	c.out.close(net.ErrClosed)
	return c.Conn.SetWriteDeadline(time.Now().Add(closeTimeout))
}

// SetDeadline implements net.Conn.
func (c *bufferedConn) SetDeadline(t time.Time) error {
	c.in.taking.setDeadline(&c.in.mu, t)
	c.out.putting.setDeadline(&c.out.mu, t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *bufferedConn) SetReadDeadline(t time.Time) error {
	c.in.taking.setDeadline(&c.in.mu, t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *bufferedConn) SetWriteDeadline(t time.Time) error {
	c.out.putting.setDeadline(&c.out.mu, t)
	return nil
}

// byteQueue carries bytes from one goroutine to another. Closing it ends putting
// at once, and taking after what is in it.
type byteQueue struct {
	taking, putting waiter

	mu   sync.Mutex
	data []byte
	end  error // nil: open
}

func newByteQueue() *byteQueue {
	return &byteQueue{taking: newWaiter(), putting: newWaiter()}
}

// put adds all of b or nothing, as soon as less than queueBytes are waiting.
func (q *byteQueue) put(b []byte) (int, error) {
	if err := q.add(b); err != nil {
		return 0, err
	}
	q.taking.wake() // without the lock, which the other one wants next
	return len(b), nil
}

func (q *byteQueue) add(b []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.end == nil && len(q.data) >= queueBytes {
		if err := q.putting.wait(&q.mu); err != nil {
			return err
		}
	}
	if q.end == nil {
		q.data = append(q.data, b...)
	}
	return q.end
}

// take waits until there is something and returns all of it. spare is what it
// returned the last time, to be used again.
func (q *byteQueue) take(spare []byte) ([]byte, error) {
	data, err := q.swap(spare)
	if len(data) >= queueBytes {
		q.putting.wake()
	}
	return data, err
}

func (q *byteQueue) swap(spare []byte) ([]byte, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.data) == 0 {
		if q.end != nil {
			return nil, q.end
		}
		if err := q.taking.wait(&q.mu); err != nil {
			return spare[:0], err
		}
	}
	if cap(spare) > queueKept {
		spare = nil
	}
	data := q.data
	q.data = spare[:0]
	return data, nil
}

// close has both sides end with an error; the first one stands.
func (q *byteQueue) close(end error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end == nil {
		q.end = end
	}
	q.taking.wake()
	q.putting.wake()
}

// waiter lets one goroutine wait for another, until a deadline. Its fields but
// woken are guarded by the lock that wait is given.
type waiter struct {
	woken    chan struct{} // holds an element if what is waited for may have come
	deadline time.Time     // zero: none
}

func newWaiter() waiter { return waiter{woken: make(chan struct{}, 1)} }

func (w *waiter) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

func (w *waiter) setDeadline(mu *sync.Mutex, t time.Time) {
	mu.Lock()
	defer mu.Unlock()
	w.deadline = t
	w.wake()
}

// wait gives mu up until wake is called or the deadline has passed, which is an
// error. On a busy machine others run first, so that batches form; on another
// one that costs nothing.
func (w *waiter) wait(mu *sync.Mutex) error {
	deadline := w.deadline
	mu.Unlock()
	defer mu.Lock()
	if deadline.IsZero() {
		<-w.woken
		runtime.Gosched()
		return nil
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-w.woken:
		return nil
	case <-timer.C:
		return os.ErrDeadlineExceeded
	}
}
