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

// natsWay asks over NATS. One subscription hears all answers, so that asking
// does not wait, and questions arrive in their order.
type natsWay struct {
	// fixed
	nc    *nats.Conn
	inbox string // the answers come on subjects below
	sub   *nats.Subscription

	mu      sync.Mutex
	newest  uint64
	waiting map[string]chan *nats.Msg // by the last token of the subject
}

func newNATSWay(nc *nats.Conn) (*natsWay, error) {
	w := &natsWay{nc: nc, inbox: nc.NewInbox(), waiting: make(map[string]chan *nats.Msg)}
	var err error
	if w.sub, err = nc.Subscribe(w.inbox+".*", w.hear); err != nil {
		return nil, fmt.Errorf("hooks: subscribe for the answers to hooks: %w", err)
	}
	return w, nil
}

func (w *natsWay) close() error {
	if err := w.sub.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fmt.Errorf("hooks: end the subscription for answers: %w", err)
	}
	return nil
}

// hear runs on the subscription's goroutine.
func (w *natsWay) hear(msg *nats.Msg) {
	token := msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]
	w.mu.Lock()
	waiting := w.waiting[token]
	delete(w.waiting, token) // the first answer counts
	w.mu.Unlock()
	if waiting != nil {
		waiting <- msg // there is a place for one
	}
}

func (w *natsWay) expect() (token string, answer chan *nats.Msg) {
	answer = make(chan *nats.Msg, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.newest++
	token = strconv.FormatUint(w.newest, 36)
	w.waiting[token] = answer
	return token, answer
}

func (w *natsWay) forget(token string) {
	w.mu.Lock()
	delete(w.waiting, token)
	w.mu.Unlock()
}

// on is the way to a subject.
func (w *natsWay) on(subject string) asker { return subjectWay{w, subject} }

type subjectWay struct {
	*natsWay
	subject string
}

func (w subjectWay) ask(ctx context.Context, body []byte) func() ([]byte, error) {
	if !w.nc.IsConnected() { // else it would be asked when nobody waits any more
		return func() ([]byte, error) { return nil, errors.New("there is no connection to NATS") }
	}
	token, answer := w.expect()
	err := w.nc.PublishRequest(w.subject, w.inbox+"."+token, body)
	return func() ([]byte, error) {
		defer w.forget(token)
		if err != nil {
			return nil, fmt.Errorf("ask on %s: %w", w.subject, err)
		}
		select {
		case msg := <-answer:
			return w.read(msg)
		case <-ctx.Done():
			return nil, fmt.Errorf("no answer came to %s within %s", w.subject, Timeout)
		}
	}
}

func (w subjectWay) read(msg *nats.Msg) ([]byte, error) {
	switch {
	case msg.Header.Get("Status") == "503" && len(msg.Data) == 0:
		return nil, fmt.Errorf("nobody answers %s; start the service that does", w.subject)
	case msg.Header.Get("Nats-Service-Error-Code") != "":
		return nil, fmt.Errorf("the service that answers %s failed: %s", w.subject, msg.Header.Get("Nats-Service-Error"))
	}
	return msg.Data, nil
}
