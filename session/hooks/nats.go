package hooks

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// natsTransport sends requests over NATS. It has one subscription for all
// replies, so that sending does not block, and requests arrive in order.
type natsTransport struct {
	// fixed
	nc    *nats.Conn
	inbox string // prefix of the response subjects
	sub   *nats.Subscription

	mu      sync.Mutex
	newest  uint64
	waiting map[string]chan *nats.Msg // by the last token of the response subject
}

func newNATSTransport(nc *nats.Conn) (*natsTransport, error) {
	w := &natsTransport{nc: nc, inbox: nc.NewInbox(), waiting: make(map[string]chan *nats.Msg)}
	var err error
	if w.sub, err = nc.Subscribe(w.inbox+".*", w.onReply); err != nil {
		return nil, fmt.Errorf("hooks: subscribe for the answers to hooks: %w", err)
	}
	return w, nil
}

func (w *natsTransport) close() error {
	if err := w.sub.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fmt.Errorf("hooks: end the subscription for answers: %w", err)
	}
	return nil
}

// onReply runs on the subscription's goroutine.
func (w *natsTransport) onReply(msg *nats.Msg) {
	token := msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]
	w.mu.Lock()
	waiting := w.waiting[token]
	delete(w.waiting, token) // only the first response counts
	w.mu.Unlock()
	if waiting != nil {
		waiting <- msg // never blocks: it is buffered
	}
}

func (w *natsTransport) register() (token string, reply chan *nats.Msg) {
	reply = make(chan *nats.Msg, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.newest++
	token = strconv.FormatUint(w.newest, 36)
	w.waiting[token] = reply
	return token, reply
}

func (w *natsTransport) unregister(token string) {
	w.mu.Lock()
	delete(w.waiting, token)
	w.mu.Unlock()
}

// on returns the transport to a subject.
func (w *natsTransport) on(subject string) transport { return subjectTransport{w, subject} }

type subjectTransport struct {
	*natsTransport
	subject string
}

func (w subjectTransport) send(ctx context.Context, body []byte) func() ([]byte, error) {
	if !w.nc.IsConnected() { // else it would be buffered, and sent after the timeout
		return func() ([]byte, error) { return nil, errors.New("there is no connection to NATS") }
	}
	token, reply := w.register()
	err := w.nc.PublishRequest(w.subject, w.inbox+"."+token, body)
	return func() ([]byte, error) {
		defer w.unregister(token)
		if err != nil {
			return nil, fmt.Errorf("ask on %s: %w", w.subject, err)
		}
		select {
		case msg := <-reply:
			return w.read(msg)
		case <-ctx.Done():
			return nil, fmt.Errorf("no answer came to %s within %s: %w", w.subject, Timeout, ctx.Err())
		}
	}
}

func (w subjectTransport) read(msg *nats.Msg) ([]byte, error) {
	switch {
	case msg.Header.Get("Status") == "503" && len(msg.Data) == 0:
		return nil, fmt.Errorf("nobody answers %s; start the service that does", w.subject)
	case msg.Header.Get("Nats-Service-Error-Code") != "":
		return nil, fmt.Errorf("%w: the service that answers %s says %s", errStatus, w.subject, msg.Header.Get("Nats-Service-Error"))
	}
	return msg.Data, nil
}
