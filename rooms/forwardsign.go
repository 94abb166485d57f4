package rooms

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// What goes to the node that decides for a table, and comes from it, is signed with
// the secret of the nodes: whoever may publish there could speak as any user
// otherwise, and say that something was decided. A request is signed for the node,
// the room and where its answer goes, the answer for that place, which no other
// request has. A ping is not signed, and tells nothing but that a node is there.
const (
	forRequest = "request" // purposes of MACs
	forAnswer  = "answer"
)

// signedHead is the length of what signInPlace writes: as the HeaderBy of a step,
// but that nothing stands between the name of the key and the MAC.
var signedHead = len(byNode) + 1 + sealNameLen + 1 + macLength

// signInPlace signs what is in msg behind signedHead bytes, which it writes.
func (s *secret) signInPlace(msg []byte, names ...string) {
	w := s.getScratch()
	defer s.putScratch(w)
	head := append(append(append(msg[:0], byNode+"."...), s.sealer.name...), '.')
	_ = append(head, s.mac(w, msg[signedHead:], names...)...)
}

// signedBody is what was signed: errForged for what no node has signed so,
// errOtherSecret for what claims another secret.
func (s *secret) signedBody(msg []byte, names ...string) ([]byte, error) {
	if len(msg) < signedHead {
		return nil, errForged
	}
	body := msg[signedHead:]
	name, isNode := bytes.CutPrefix(msg[:signedHead-macLength], []byte(byNode+"."))
	name, isNamed := bytes.CutSuffix(name, []byte("."))
	switch {
	case !isNode || !isNamed:
		return nil, errForged
	case string(name) != s.sealer.name:
		return nil, errOtherSecret
	}
	w := s.getScratch()
	defer s.putScratch(w)
	if subtle.ConstantTimeCompare(msg[signedHead-macLength:signedHead], s.mac(w, body, names...)) != 1 {
		return nil, errForged
	}
	return body, nil
}

// encode is the answer to a request, signed: only who waits at reply believes it.
func (d *decided) encode(s *secret, reply string) ([]byte, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, signedHead, signedHead+len(text)), text...)
	s.signInPlace(out, forAnswer, reply)
	return out, nil
}

// readAnswer is what was decided: errForged or errOtherSecret for what the node that
// was asked has not signed.
func (e *Engine) readAnswer(reply string, msg []byte) (d decided, err error) {
	body, err := e.secret.Load().signedBody(msg, forAnswer, reply)
	if err == nil {
		err = json.Unmarshal(body, &d)
	}
	return d, err
}

// sayForgedEvery is how often it is said at most that there was something forged;
// each one is counted.
const sayForgedEvery = time.Minute

// onForged counts what no node with this one's secret has signed.
func (e *Engine) onForged(msg *nats.Msg, err error, text string) {
	e.stats.Forged.Add(1)
	e.forward.says.Do(func() {
		level := e.cfg.Log.Warn()
		if errors.Is(err, errOtherSecret) {
			level = e.cfg.Log.Error()
		}
		level.Err(err).Str("subject", msg.Subject).Msg(text)
	})
}

// onForgedStep counts a step that no node with this one's secret has written for its
// place.
func (e *Engine) onForgedStep(room wire.Room, seq uint64) {
	e.stats.Forged.Add(1)
	e.tableSays.step.Do(func() {
		e.roomLog(room).Warn().Uint64("seq", seq).Msg("a step of a table was not written by a node for this place, and is ignored; who publishes on room.<room>.step?")
	})
}

// tableSays are warnings that are logged once every sayForgedEvery at most, of all tables together; each is counted.
type tableSays struct {
	step, snapshot rate.Sometimes // one was forged
	stall          rate.Sometimes // the log takes no steps
}

func newTableSays() *tableSays {
	return &tableSays{
		step:     rate.Sometimes{Interval: sayForgedEvery},
		snapshot: rate.Sometimes{Interval: sayForgedEvery},
		stall:    rate.Sometimes{Interval: sayForgedEvery},
	}
}
