package bench

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// Plays: what the members of a table do.
const (
	Chat = "chat" // talk, as in a room: what deciding costs, and nothing else
	Bets = "bets" // bet at baccarat, and take it back
)

const (
	// tableRooms is how the names of rooms begin at which roomd plays baccarat.
	tableRooms = "baccarat-"
	// maxBettors is how many users may have bets in a round.
	maxBettors = 500
	// betUnit is the least bet, betSteps how many different ones are placed.
	betUnit, betSteps = 20, 24
)

// names of what is compared in the mode table.
const (
	tableName = "table"
	roomName  = "room"
)

// tablesAndRooms are one server twice, started anew for each: with tables, and
// with rooms that only relay.
func tablesAndRooms(p *program) []*program {
	tables, rooms := *p, *p
	tables.name, tables.dialect = tableName, tableDialect
	rooms.name = roomName
	return []*program{&tables, &rooms}
}

// tableFlags have the first round of a table wait for bets longer than a run.
var tableFlags = []string{"--tables=" + tableRooms + "*=baccarat", "--bet-time=1h"}

// tableCases are those of the mode table; one, if flags say what it is. With
// several nodes each is two: with the senders on the node that decides, and on
// another.
func tableCases(given load, nodes int) (cases []testCase) {
	shaped := load{Mode: Table, Size: given.Size, Shape: given.Shape, Play: given.Play, Sender: given.Sender, Settle: given.Settle, Warmup: given.Warmup, Duration: given.Duration}
	if given != shaped {
		return []testCase{{name: Table, load: given, figures: figuresOf(Table)}}
	}
	senders := []string{given.Sender}
	if given.Sender == "" && nodes > 1 {
		senders = []string{Owner, Other}
	}
	for _, sender := range senders {
		shaped.Sender = sender
		cases = append(cases, tableCasesOf(shaped)...)
	}
	return cases
}

func tableCasesOf(shaped load) []testCase {
	cpu := cpuPerMessage.aims("1.5× a room's")
	suffix := ""
	if shaped.Sender != "" {
		suffix = ", sender on the " + shaped.Sender + " node"
	}
	if shaped.Sender == Other {
		cpu = cpuPerMessage.aims("3× a room's")
	}
	sized := func(name string, rooms, members, publishers, ahead int, rate float64, figures ...figure) testCase {
		l := shaped
		l.Rooms, l.Members, l.Publishers, l.Ahead, l.Rate = rooms, members, publishers, ahead, rate
		return testCase{name: name + suffix, load: l, figures: figures}
	}
	most := sized("one of 8, all talking, without ids", 1, 8, 8, 16, 0, messagesPerS.aims("50,000; on three replicas 20,000"), cpu)
	most.load.NoIDs = shaped.Play != Bets
	return []testCase{
		sized("one of 1,000, 100 talking", 1, 1000, 100, 1, 0, cpu, messagesPerS, ackP50, ackP99),
		sized("1,000 of 8, one talking in each", 1000, 8, 1000, 4, 0, cpu, messagesPerS, ackP50, ackP99),
		most,
		sized("one of 8, one talking, ahead by 1", 1, 8, 1, 1, 0, cpu, ackP50, ackP99),
		sized("one of 8, 100 messages/s", 1, 8, 1, 0, 100, ackP50, ackP99.aims("3; on three replicas 6"), cpuPerMessage),
	}
}

// Senders: whether those who speak at a table are on the node that decides for it.
const (
	Owner = "owner"
	Other = "other"
)

// roomName is the name of a run's room. The node that decides for a table follows
// from it.
func (s *swarm) roomName(run string, room int, sender string) string {
	name := "bench-" + run + "-" + strconv.Itoa(room)
	if !s.dialect.table {
		return name
	}
	name = tableRooms + name
	if sender == "" {
		return name
	}
	at := room % len(s.nodes) // where they are: see seat
	if sender == Other {
		at = (at + 1) % len(s.nodes)
	}
	for i := 0; ; i++ {
		tried := name + "-" + strconv.Itoa(i)
		if rooms.TableOwner(wire.Room(tried), s.names) == s.names[at] {
			return tried
		}
	}
}

// nodeNames are the names of the nodes at urls.
func nodeNames(ctx context.Context, urls []string) (names []string, err error) {
	for _, url := range urls {
		c, err := client.Dial(ctx, client.Config{URL: url, Username: "bench"})
		if err != nil {
			return nil, fmt.Errorf("ask a node for its name: %w", err)
		}
		names = append(names, c.Welcome().Node)
		c.Close()
	}
	return names, nil
}

// messages makes what a publisher sends.
type messages interface {
	append(dst []byte, s stamp) []byte
}

// messages are those of a load.
func (d dialect) messages(l *load) messages {
	if d.bets {
		return newBets()
	}
	t := d.template(l.Shape, l.Size)
	return &t
}

// bets are a bet, and what takes it back, in turn: nobody's chips run out.
// Nothing in what is told of them can hold a stamp. So a bet's amount says which
// one it is, and the time is looked up.
type bets struct {
	place, clear       []byte
	placeID, clearID   int // where the id begins
	amount, amountSize int // where it stands, blanks before it included
}

func newBets() *bets {
	const id, blanks = "00000000", "     "
	b := &bets{
		place:      appendFrame(nil, opText, []byte(`{"type":"place_bet","id":"`+id+`","payload":{"round":1,"on":"player","amount":`+blanks+`}}`)),
		clear:      appendFrame(nil, opText, []byte(`{"type":"clear_bets","id":"`+id+`","payload":{"round":1}}`)),
		amountSize: len(blanks),
	}
	b.placeID, b.clearID = bytes.Index(b.place, []byte(id)), bytes.Index(b.clear, []byte(id))
	b.amount = bytes.Index(b.place, []byte(blanks))
	return b
}

// betAmount is the amount of a publisher's message, which is a bet; 0: it takes
// one back.
func betAmount(number uint32) int {
	if number%2 == 1 {
		return 0
	}
	return betUnit * (1 + int(number/2)%betSteps)
}

func (b *bets) append(dst []byte, s stamp) []byte {
	amount := betAmount(s.number)
	if amount == 0 {
		putHex(b.clear[b.clearID:], s.number)
		return append(dst, b.clear...)
	}
	putHex(b.place[b.placeID:], s.number)
	copy(b.place[b.amount:], fmt.Sprintf("%*d", b.amountSize, amount))
	return append(dst, b.place...)
}

var (
	batchPrefix   = []byte(`{"type":"batch"`)
	welcomePrefix = []byte(`{"type":"welcome"`)
	betPrefix     = []byte(`{"type":"bet`)
	uidMark       = []byte(`"uid":"`)
	amountMark    = []byte(`,"on":"player","amount":`)
	idMark        = []byte(`"id":"`)
)

// decided takes what a step of a table tells, and reports whether text was that.
func (r *reader) decided(c *conn, text []byte, now time.Duration) bool {
	batch := bytes.HasPrefix(text, batchPrefix)
	if r.swarm.dialect.bets {
		if !batch && !bytes.HasPrefix(text, betPrefix) {
			return false
		}
		for uid, rest, ok := nextUID(text); ok; uid, rest, ok = nextUID(rest) {
			r.bet(c, uid, rest, now)
		}
		return true
	}
	if !batch {
		return false
	}
	for {
		s, at, ok := findStamp(text, len(text))
		if !ok {
			return true
		}
		r.message(c, s, now)
		text = text[at+len(mark):]
	}
}

// nextUID finds a user in text, and what follows.
func nextUID(text []byte) (uid, rest []byte, ok bool) {
	_, rest, ok = bytes.Cut(text, uidMark)
	if !ok {
		return nil, nil, false
	}
	return bytes.Cut(rest, []byte(`"`))
}

// bet takes what is told of one bet; rest is what follows the better's uid.
func (r *reader) bet(c *conn, uid, rest []byte, now time.Duration) {
	sender, ok := r.swarm.senders[c.room][string(uid)]
	if !ok {
		return // somebody else's
	}
	number := c.heard[sender].next
	told := 0
	if amount, ok := bytes.CutPrefix(rest, amountMark); ok {
		if told, ok = leadingNumber(amount); !ok {
			r.swarm.note(rest[:min(len(rest), 100)])
		}
	}
	p := r.swarm.pubsOf[c.room][sender]
	if told != betAmount(number) || number >= p.sent {
		r.counts.misordered++
		return
	}
	r.message(c, stamp{sender: sender, number: number, sent: p.sentAt[number%256]}, now)
}

func leadingNumber(text []byte) (int, bool) {
	end := bytes.IndexFunc(text, func(c rune) bool { return c < '0' || c > '9' })
	n, err := strconv.Atoi(string(text[:max(0, end)]))
	return n, err == nil
}

// welcomed learns by what name bets of a publisher are told.
func (r *reader) welcomed(c *conn, text []byte) {
	if uid, _, ok := nextUID(text); ok && c.pub != nil {
		r.swarm.senders[c.room][string(uid)] = c.pub.sender
	}
}

// acknowledged counts how long a publisher's ack took; of one that has sent 256
// more meanwhile that is not known.
func (r *reader) acknowledged(c *conn, text []byte, now time.Duration) {
	_, id, ok := bytes.Cut(text, idMark)
	if !ok || len(id) < numberChars || c.pub == nil || !r.swarm.measuring.Load() {
		return
	}
	if number := readHex(id); number < c.pub.sent && c.pub.sent-number <= 256 {
		r.acks.add(now - c.pub.sentAt[number%256])
	}
}
