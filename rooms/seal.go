package rooms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// What a table's log and snapshots hold for some users, or for nobody yet, is
// sealed with a key that comes from the secret of the nodes: others may read the
// streams, and the copies on room.<room>.log. Every step is signed as well, so
// that one which no node wrote is told from the others.
const (
	forStep     = "step"     // purpose of a step's MAC, and of what it hides
	forSnapshot = "snapshot" // purpose of what is sealed as a snapshot

	// byNode is the kind of author in the HeaderBy of a step, which goes on with the
	// name of the key, the step before and the MAC, a dot between them.
	byNode = "node"
)

// errOtherSecret is that another secret is needed than the nodes have. The text
// is for the operator.
var errOtherSecret = errors.New("it was written by nodes with another secret than this one's, so it cannot be read; put the secret back that they had (the key " +
	eventlog.SecretKey + " in the bucket " + eventlog.KeyBucket + ", or rooms.Config.Secret) and restart the nodes")

// errNotSealed is that no node has sealed it, or that it was sealed for another
// place.
var errNotSealed = errors.New("it was not sealed by a node for this place, or was damaged since")

// errForged is that no node wrote a step, or what one node asks of another.
var errForged = errors.New("no node has written this")

// sealer seals with XAES-256-GCM (c2sp.org/XAES-256-GCM): its nonces of 24 random
// bytes never meet, however many steps all tables of a cluster ever have, as those
// of plain GCM would after some years. Any goroutine may use it.
type sealer struct {
	name string // of the key: tells one secret from another, and nothing of it
	root cipher.Block
	mask [aes.BlockSize]byte
}

const (
	sealNonce   = 24
	sealNameLen = 6 // of sealer.name
)

func newSealer(secret []byte) (*sealer, error) {
	key, err := hkdf.Expand(sha256.New, secret, "roomd seal: key", 32)
	if err != nil {
		return nil, err
	}
	name, err := hkdf.Expand(sha256.New, secret, "roomd seal: name", 4)
	if err != nil {
		return nil, err
	}
	return sealerOf(key, base64.RawURLEncoding.EncodeToString(name))
}

func sealerOf(key []byte, name string) (*sealer, error) {
	root, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	s := &sealer{name: name, root: root}
	root.Encrypt(s.mask[:], s.mask[:])
	var carry byte
	for i := len(s.mask) - 1; i >= 0; i-- {
		carry, s.mask[i] = s.mask[i]>>7, s.mask[i]<<1|carry
	}
	s.mask[len(s.mask)-1] ^= carry * 0x87
	return s, nil
}

// aead derives the key of one nonce.
func (s *sealer) aead(nonce []byte) (cipher.AEAD, error) {
	key := make([]byte, 0, 2*aes.BlockSize)
	for part := byte(1); part <= 2; part++ {
		block := [aes.BlockSize]byte{0, part, 'X', 0}
		copy(block[4:], nonce[:12])
		for i := range block {
			block[i] ^= s.mask[i]
		}
		s.root.Encrypt(block[:], block[:])
		key = append(key, block[:]...)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal returns the name of the key, a nonce and the sealed text. place is what
// must be said again in order to open it.
func (s *sealer) seal(plain []byte, place ...string) []byte {
	out := make([]byte, sealNameLen+sealNonce, sealNameLen+sealNonce+len(plain)+aes.BlockSize)
	copy(out, s.name) // which belongs to the place
	nonce := out[sealNameLen:]
	_, _ = rand.Read(nonce) // never fails: crypto/rand
	gcm, err := s.aead(nonce)
	if err != nil {
		panic(err) // the key has the right length
	}
	return gcm.Seal(out, nonce[12:], plain, placeText(s.name, place))
}

// open is the inverse of seal: errOtherSecret or errNotSealed.
func (s *sealer) open(sealed []byte, place ...string) ([]byte, error) {
	if len(sealed) < sealNameLen+sealNonce {
		return nil, errNotSealed
	}
	name, nonce, text := string(sealed[:sealNameLen]), sealed[sealNameLen:sealNameLen+sealNonce], sealed[sealNameLen+sealNonce:]
	gcm, err := s.aead(nonce)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, nonce[12:], text, placeText(name, place))
	switch {
	case err == nil:
		return plain, nil
	case name != s.name:
		return nil, errOtherSecret
	}
	return nil, errNotSealed
}

// placeText is unambiguous: no part has a zero byte.
func placeText(name string, place []string) []byte {
	return []byte(name + "\x00" + strings.Join(place, "\x00"))
}

// signStep is the HeaderBy of a step.
func (s *secret) signStep(room wire.Room, prev uint64, body []byte) string {
	w := s.getScratch()
	defer s.putScratch(w)
	text := strconv.FormatUint(prev, 10)
	return byNode + "." + s.sealer.name + "." + text + "." + string(s.mac(w, body, forStep, text, string(room)))
}

// verifyStep returns behind which step a node has put this one: errForged for one
// that no node wrote, errOtherSecret for one that claims another secret.
func (s *secret) verifyStep(by string, room wire.Room, body []byte) (prev uint64, err error) {
	name, text, ok := signedStep(by)
	if !ok {
		return 0, errForged
	}
	if name != s.sealer.name {
		return 0, errOtherSecret
	}
	prev, err = strconv.ParseUint(text, 10, 64)
	if err != nil || subtle.ConstantTimeCompare([]byte(by), []byte(s.signStep(room, prev, body))) != 1 {
		return 0, errForged
	}
	return prev, nil
}

// signedStep are the parts of a step's HeaderBy in front of its MAC.
func signedStep(by string) (name, prev string, ok bool) {
	rest, ok := strings.CutPrefix(by, byNode+".")
	if !ok {
		return "", "", false
	}
	name, rest, _ = strings.Cut(rest, ".")
	prev, _, ok = strings.Cut(rest, ".")
	return name, prev, ok
}

// encodeStep is the message of a step: its body, in which nobody else reads what
// it hides, and its HeaderBy.
func (e *Engine) encodeStep(room wire.Room, step *table.Step) (body []byte, by string, err error) {
	secret := e.secret.Load()
	open, err := step.Hide(func(plain []byte) []byte {
		return secret.sealer.seal(plain, forStep, string(room), strconv.FormatUint(step.Prev, 10))
	})
	if err == nil {
		err = checkTypes(step)
	}
	if err == nil {
		body, err = open.Encode()
	}
	if most := min(MaxStepBytes, int(e.nc.MaxPayload())-stepHeaders); err == nil && len(body) > most {
		err = fmt.Errorf("it has %d bytes, and may have %d: have the rules tell less at once", len(body), most)
	}
	if err != nil {
		return nil, "", err
	}
	return body, secret.signStep(room, step.Prev, body), nil
}

// MaxStepBytes is how many bytes the body of a step may have: a client takes it as
// one batch, and a page of history holds it. A table whose rules decide more for
// one command stands still.
const MaxStepBytes = eventlog.MaxStepBytes - stepHeaders

// stepHeaders is more than the headers of a step take.
const stepHeaders = 1 << 10

// checkTypes reports an event of rules that clients would take for another thing
// than what happened at the table.
func checkTypes(step *table.Step) error {
	for i := range step.Events {
		if typ := step.Events[i].Type; !wire.ValidType(typ) || wire.Reserved(typ) {
			return fmt.Errorf("the rules tell of an event of type %.80q, which is none or one that only the server makes; give it another", typ)
		}
	}
	return nil
}

// readStep is a step as a node has written it, with what it hides: errForged for
// what no node wrote, a *table.Broken for what this node cannot read.
func (e *Engine) readStep(room wire.Room, ev follow.Event) (step table.Step, err error) {
	secret := e.secret.Load()
	prev, err := secret.verifyStep(ev.By, room, ev.Body)
	switch {
	case errors.Is(err, errForged):
		return step, err
	case err == nil:
		step, err = table.DecodeStep(ev.Body)
	}
	if err == nil && step.Prev != prev {
		err = fmt.Errorf("it says that it follows %d, and its header that it follows %d", step.Prev, prev)
	}
	if err == nil {
		err = step.Reveal(func(sealed []byte) ([]byte, error) {
			return secret.sealer.open(sealed, forStep, string(room), strconv.FormatUint(prev, 10))
		})
	}
	if err != nil {
		return step, &table.Broken{What: fmt.Sprintf("read step %d", ev.Seq), Cause: err}
	}
	return step, nil
}

// inPlace takes the signature from a step that was put in the log behind another
// one than its node has said: somebody has published it again.
func inPlace(ev follow.Event, prev uint64) follow.Event {
	if _, text, ok := signedStep(ev.By); ok && text != strconv.FormatUint(prev, 10) {
		ev.By = ""
	}
	return ev
}

// chain is inPlace for a page of a table's log, as far as the page shows what is
// before each step.
func chain(page *follow.Page, q follow.Range) {
	for i := range page.Events {
		switch {
		case i > 0:
			page.Events[i] = inPlace(page.Events[i], page.Events[i-1].Seq)
		case page.Start:
			page.Events[i] = inPlace(page.Events[i], q.After)
		}
	}
}

// snapshotSealer seals the snapshots of tables. It implements eventlog.Sealer.
type snapshotSealer struct{ e *Engine }

// Seal implements eventlog.Sealer.
func (s snapshotSealer) Seal(room wire.Room, plain []byte) []byte {
	return s.e.secret.Load().sealer.seal(plain, forSnapshot, string(room))
}

// Open implements eventlog.Sealer.
func (s snapshotSealer) Open(room wire.Room, sealed []byte) ([]byte, error) {
	plain, err := s.e.secret.Load().sealer.open(sealed, forSnapshot, string(room))
	if err != nil {
		return nil, &table.Broken{What: "read its snapshot", Cause: err}
	}
	return plain, nil
}
