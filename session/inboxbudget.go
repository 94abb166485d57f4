package session

import (
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/budget"
)

// An inbox keeps a limited number of messages, and all inboxes together a
// limited number of bytes, so each message pushes out older ones. Therefore
// each inbox has a rate limit for messages of clients; one sender may use a
// share of it, so that others get through; and what guests, of whom anybody can
// create thousands, store in inboxes has a limit of its own. Messages of
// services are not limited.

// guestInboxes limit what guests may store in inboxes, in bytes. Fixed after
// newGuestInboxes.
type guestInboxes struct {
	all       *budget.Account // of the node
	byUID     *budget.Table
	byAddress *budget.Table
}

func newGuestInboxes(cfg Config) guestInboxes {
	all := budget.Rate{PerSecond: guestInboxBytes, Burst: guestInboxBurst}
	if cfg.RateBytes == 0 {
		all = budget.Rate{}
	}
	table := func(share float64) *budget.Table {
		return budget.NewTable(all.Times(share), budget.Rate{}, maxIdleAccounts)
	}
	return guestInboxes{all: table(1).New(), byUID: table(guestShare), byAddress: table(guestAddressShare)}
}

// spendInbox charges the storing of n bytes, in one inbox or, as a private
// message is, in two: one message to the receiver `to` and to the client's
// share there, unless that is the client itself, and the bytes if it is a
// guest. A refusal charges nothing and does not count against the client:
// others may have used up the limit.
func (c *Client) spendInbox(now time.Duration, to string, n int) error {
	if c.who.Guest && !c.spendAsGuest(now, float64(n)) {
		c.m.stats.RateLimited.Add(1)
		c.m.stats.LimitedGuestInboxes.Add(1)
		return wire.Errorf(wire.RateLimited, "too much in private messages of guests; try again in a moment")
	}
	if to == c.who.UID || !c.m.budgets.inboxes.Limits() {
		return nil
	}
	part := 1.0
	if c.who.Guest {
		part = guestPart
	}
	pair := c.m.budgets.pairs.Get(c.who.UID+"\n"+to, now) // no uid has a line break
	within := pair.Take(budget.First, now, 1)
	if within && c.m.budgets.inboxes.Get(to, now).TakeUpTo(budget.First, now, 1, part) {
		return nil
	}
	if c.who.Guest {
		for _, account := range c.guestAccounts(now) {
			account.GiveBack(budget.First, float64(n))
		}
	}
	c.m.stats.RateLimited.Add(1)
	if !within {
		c.m.stats.LimitedInboxSenders.Add(1)
		return wire.Errorf(wire.RateLimited, "you send too many private messages to %q; try again in a moment", to)
	}
	pair.GiveBack(budget.First, 1)
	c.m.stats.LimitedInboxes.Add(1)
	return wire.Errorf(wire.RateLimited, "too many private messages to %q; try again in a moment", to)
}

// spendAsGuest charges n bytes to what the client, its address, and all guests
// may store in inboxes: all three or none.
func (c *Client) spendAsGuest(now time.Duration, n float64) bool {
	accounts := c.guestAccounts(now)
	for i, account := range accounts {
		if account.Take(budget.First, now, n) {
			continue
		}
		for _, before := range accounts[:i] {
			before.GiveBack(budget.First, n)
		}
		return false
	}
	return true
}

// guestAccounts returns the accounts that a guest's private messages are
// charged to.
func (c *Client) guestAccounts(now time.Duration) []*budget.Account {
	guests := &c.m.budgets.guests
	if !guests.byUID.Limits() {
		return nil
	}
	accounts := []*budget.Account{guests.byUID.Get(c.who.UID, now)}
	if !c.from.exempt {
		accounts = append(accounts, guests.byAddress.Get(c.from.key, now))
	}
	return append(accounts, guests.all)
}
