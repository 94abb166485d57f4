package session

import (
	"math"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/budget"
)

// perDay is a rate of which nothing leaks out while a test runs.
const perDay = 1.0 / 86400

// privately is a private message's payload.
func privately(to, message string) wire.SendMessage {
	return wire.SendMessage{ToUID: to, Message: message}
}

// wholeInbox is everything in a user's inbox, page by page.
func (s *stack) wholeInbox(uid string) (list []string) {
	s.t.Helper()
	before := uint64(0)
	for {
		page, err := s.eng.History(s.t.Context(), wire.Inbox(uid), before, rooms.MaxHistoryPage)
		must(s.t, err)
		for _, ev := range page.Events {
			list = append(list, string(ev))
		}
		if !page.More || len(page.Events) == 0 {
			return list
		}
		before = decode[wire.Event](s.t, page.Events[0]).Seq
	}
}

// count is how many of them say that.
func count(list []string, part string) (n int) {
	for _, text := range list {
		if strings.Contains(text, part) {
			n++
		}
	}
	return n
}

// Five guests send one user more messages than an inbox keeps: what a friend
// wrote before is all there, and a friend can still write.
func TestGuestsPushNothingOutOfAnInbox(t *testing.T) {
	const written, guests, each = 10, 5, 220
	s := newStack(t, func(set *setup) { set.cfg.InboxRate = perDay })
	s.user("ann")
	friend := s.user("friend")
	for n := range written {
		friend.acked(wire.TypePrivateMessage, "", privately("ann", text("from a friend, %d", n)))
	}
	stored := 0
	for range guests {
		p := s.dial("username=noise")
		for n := range each {
			p.send(wire.TypePrivateMessage, text("%s-%d", p.welcome.ClientID, n), "", privately("ann", "noise"))
			answer := p.answer(text("%s-%d", p.welcome.ClientID, n))
			if answer.Type == wire.TypeAck {
				stored++
				continue
			}
			p.wantError(answer, wire.RateLimited)
		}
	}
	same(t, "messages of guests that were stored", stored, inboxBurst*guestPart-written)
	same(t, "those that were refused", s.m.Stats().LimitedInboxes.Load()+s.m.Stats().LimitedInboxSenders.Load(), int64(guests*each-stored))
	same(t, "refused events", s.m.Stats().RateLimited.Load(), int64(guests*each-stored))
	same(t, "messages of the friend that are left", count(s.wholeInbox("ann"), "from a friend"), written)

	const share = int(inboxBurst * senderShare)
	another, last := s.user("another"), s.user("last")
	for n := range share - written {
		friend.acked(wire.TypePrivateMessage, "", privately("ann", text("later, %d", n)))
	}
	for n := range share {
		another.acked(wire.TypePrivateMessage, "", privately("ann", text("later, %d", n)))
	}
	for n := range inboxBurst - stored - 2*share {
		last.acked(wire.TypePrivateMessage, "", privately("ann", text("later, %d", n)))
	}
	told := last.failed(wire.RateLimited, wire.TypePrivateMessage, "", privately("ann", "one too many"))
	if !strings.Contains(told.Message, `"ann"`) {
		t.Errorf("the refusal says %q", told.Message)
	}
	same(t, "messages of the friend in ann's inbox", count(s.wholeInbox("ann"), `"uid":"friend"`), share)
	same(t, "messages of the friend in his own", count(s.wholeInbox("friend"), `"to_uid":"ann"`), share)
}

// One user, from however many connections, writes to another without end: a
// friend still gets through, and the one who floods may write to others.
func TestOneSenderFillsNoInbox(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.InboxRate = perDay })
	s.user("ann")
	s.user("carol")
	bob := s.user("bob")
	floods := []*peer{s.user("mallory"), s.user("mallory")}
	const share, tries = int(inboxBurst * senderShare), 2 * inboxBurst
	stored := 0
	for n := range tries {
		p := floods[n%2]
		id := text("%d", n)
		p.send(wire.TypePrivateMessage, id, "", privately("ann", "noise"))
		if answer := p.answer(id); answer.Type == wire.TypeAck {
			stored++
		} else if told := p.wantError(answer, wire.RateLimited); !strings.Contains(told.Message, `you send too many private messages to "ann"`) {
			t.Fatalf("the refusal says %q", told.Message)
		}
	}
	same(t, "messages of one who floods that were stored", stored, share)
	same(t, "those that were refused", s.m.Stats().LimitedInboxSenders.Load(), int64(tries-share))
	same(t, "refused for what others wrote", s.m.Stats().LimitedInboxes.Load(), 0)
	for range 10 {
		bob.acked(wire.TypePrivateMessage, "", privately("ann", "from a friend"))
	}
	same(t, "messages of the friend", count(s.wholeInbox("ann"), "from a friend"), 10)
	floods[0].acked(wire.TypePrivateMessage, "", privately("carol", "to another"))

	// What the inbox refuses is not taken from the sender's share.
	now := s.m.now()
	s.m.budgets.inboxes.Get("ann", now).Charge(budget.First, now, inboxBurst)
	bob.failed(wire.RateLimited, wire.TypePrivateMessage, "", privately("ann", "into a full one"))
	pair := s.m.budgets.pairs.Get("bob\nann", s.m.now())
	same(t, "spent of bob's share", math.Round(pair.Used(budget.First, s.m.now())*float64(share)), 10)
}

// Other inboxes, one's own, and services have no part in it.
func TestInboxesHaveTheirOwnRates(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.InboxRate = perDay })
	ann, bob := s.user("ann"), s.user("bob")
	now := s.m.now()
	for _, uid := range []string{"ann", "bob"} {
		s.m.budgets.inboxes.Get(uid, now).Charge(budget.First, now, inboxBurst)
	}
	ann.failed(wire.RateLimited, wire.TypePrivateMessage, "", privately("bob", "to one whose inbox is full"))
	bob.failed(wire.RateLimited, wire.TypePrivateMessage, "", privately("ann", "the other way"))
	ann.acked(wire.TypePrivateMessage, "", privately("ann", "a note to myself"))
	s.user("carol")
	ann.acked(wire.TypePrivateMessage, "", privately("carol", "to another"))
	_, err := s.fromService(string(wire.Inbox("bob")), wire.Event{Type: wire.TypePrivateMessage, Payload: []byte(`{"message":"from a service"}`)})
	must(t, err)
	same(t, "what bob has", count(s.wholeInbox("bob"), ""), 1)
	same(t, "what ann has", count(s.wholeInbox("ann"), ""), 2)
	same(t, "held against the client", s.refusalsOf(ann), 0)
}

// What a handler publishes to somebody's inbox for its client counts too.
func TestHandlersSpendOfInboxes(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.InboxRate = perDay })
	s.m.Handle("invite", func(r *Request) error {
		return r.Publish(wire.Inbox("bob"), wire.Event{Type: "invited"})
	})
	s.user("bob")
	ann := s.user("ann")
	ann.acked("invite", "", nil)
	now := s.m.now()
	s.m.budgets.inboxes.Get("bob", now).Charge(budget.First, now, inboxBurst)
	ann.failed(wire.RateLimited, "invite", "", nil)
	same(t, "what bob has", count(s.wholeInbox("bob"), "invited"), 1)
}

func TestNoRateOfInboxes(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.InboxRate, set.cfg.RateBytes = 0, 0 })
	s.user("ann")
	p := s.dial("username=G")
	for range inboxBurst + 1 {
		p.acked(wire.TypePrivateMessage, "", privately("ann", "x"))
	}
}

// What guests may have stored in inboxes is bounded for one, for those of an
// address, and for all; users are not among them.
func TestBytesOfGuestsInInboxes(t *testing.T) {
	s := newStack(t, behindProxy(t), func(set *setup) { set.cfg.RateBytes = 1 << 20 })
	ann := s.user("ann")
	p, beside, elsewhere := s.guestFrom("192.0.2.1"), s.guestFrom("192.0.2.1"), s.guestFrom("192.0.2.2")
	const lots = 1 << 40 // much more than leaks out while the test runs
	to := privately("ann", "x")
	for i, refused := range [][]*peer{{p}, {p, beside}, {p, beside, elsewhere}} {
		account := s.client(p).guestAccounts(s.m.now())[i]
		account.Charge(budget.First, s.m.now(), lots)
		for n, guest := range []*peer{p, beside, elsewhere} {
			if n < len(refused) {
				guest.failed(wire.RateLimited, wire.TypePrivateMessage, "", to)
			} else {
				guest.acked(wire.TypePrivateMessage, "", to)
			}
		}
		ann.acked(wire.TypePrivateMessage, "", to)
		account.GiveBack(budget.First, 2*lots)
		p.acked(wire.TypePrivateMessage, "", to)
	}
	same(t, "refused", s.m.Stats().LimitedGuestInboxes.Load(), 6)
	same(t, "held against the client", s.refusalsOf(p), 0)
}

// Both copies of a guest's message are counted, and what is refused costs
// nothing, whoever refuses it.
func TestRefusedPrivateMessagesCostNothing(t *testing.T) {
	s := newStack(t, behindProxy(t), func(set *setup) { set.cfg.RateBytes, set.cfg.InboxRate = 1<<20, perDay })
	p := s.guestFrom("192.0.2.1")
	c := s.client(p)
	now := s.m.now() // at which all is spent, so that nothing leaks out
	spent := func() (bytes [3]float64, messages float64) {
		for i, account := range c.guestAccounts(now) {
			bytes[i] = math.Round(account.Used(budget.First, now) * account.Rate(budget.First).Burst)
		}
		return bytes, s.m.budgets.inboxes.Get("ann", now).Used(budget.First, now)
	}
	must(t, c.spendInbox(now, "ann", 1000))
	bytes, messages := spent()
	same(t, "spent bytes", bytes, [3]float64{1000, 1000, 1000})
	same(t, "spent messages", messages, 1.0/inboxBurst)

	s.m.budgets.inboxes.Get("ann", now).Charge(budget.First, now, guestPart*inboxBurst)
	same(t, "an error of the receiver's rate", wire.AsError(c.spendInbox(now, "ann", 1000)).Code, wire.RateLimited)
	bytes, _ = spent()
	same(t, "spent bytes", bytes, [3]float64{1000, 1000, 1000})

	c.guestAccounts(now)[2].Charge(budget.First, now, guestInboxBurst)
	same(t, "an error of all guests' bytes", wire.AsError(c.spendInbox(now, "bob", 1000)).Code, wire.RateLimited)
	bytes, _ = spent()
	same(t, "spent bytes", bytes, [3]float64{1000, 1000, 1000 + guestInboxBurst})
	same(t, "spent of bob's", s.m.budgets.inboxes.Get("bob", now).Used(budget.First, now), 0)
}

// A private message of a guest is charged twice what is stored of it.
func TestPrivateMessagesAreStoredTwice(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.RateBytes = 1 << 20 })
	s.user("ann")
	p := s.dial("username=G")
	all := s.m.budgets.guests.all
	all.Charge(budget.First, s.m.now(), guestInboxBurst/2) // so that it is not empty before all has leaked out that does meanwhile
	const size = 15_000
	from := s.m.now()
	before := all.Used(budget.First, from) * guestInboxBurst
	p.acked(wire.TypePrivateMessage, "", privately("ann", strings.Repeat("x", size)))
	now := s.m.now()
	after := all.Used(budget.First, now) * guestInboxBurst
	spent := after - before + (now-from).Seconds()*guestInboxBytes
	if after > 0 && (spent < 2*size || spent > 2*(size+envelope)) {
		t.Errorf("%v were spent for %d bytes", spent, size)
	}
}
