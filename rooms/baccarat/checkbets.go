package baccarat

// The money of a table, checked by its log.

func (c *Checker) betPlaced(p betPlaced) {
	if !c.inRound(p.Round, "a bet is placed", Betting) {
		return
	}
	c.must(p.On.known() && p.Amount > 0 && p.Amount%Unit == 0, "%s bets %d on %s", p.UID, p.Amount, p.On)
	if c.bets[p.UID] == nil {
		c.bets[p.UID] = Stakes{}
	}
	c.bets[p.UID][p.On] += p.Amount
	c.inTime(p.UID)
	_, kept := c.stacks[p.UID]
	c.must(!c.forgets || !kept, "guests were forgotten for %s, whose stack is kept", p.UID)
	c.forgets = false
	c.moves(p.UID, -p.Amount, p.Stack)
	c.must(kept || len(c.stacks) <= MaxStacks, "%d stacks are kept, %d at most", len(c.stacks), MaxStacks)
	c.must(len(c.bets) <= MaxBettors, "%d users have bets", len(c.bets))
}

func (c *Checker) betsCleared(p betsCleared) {
	if !c.inRound(p.Round, "bets are cleared", Betting) {
		return
	}
	c.inTime(p.UID)
	c.must(sameStakes(c.bets[p.UID], p.Bets), "%s takes back %v, and has bet %v", p.UID, p.Bets, c.bets[p.UID])
	c.moves(p.UID, c.bets[p.UID].sum(), p.Stack)
	delete(c.bets, p.UID)
}

func (c *Checker) roundSettled(p roundSettled) {
	if !c.inRound(p.Round, "it is settled", Dealing) {
		return
	}
	c.phase = Settled
	c.shoe.Rounds++
	c.must(written(p.Player) == written(c.player) && written(p.Banker) == written(c.banker), "settled with %v and %v, and %v and %v were dealt", p.Player, p.Banker, c.player, c.banker)
	if next := NextCard(c.player, c.banker); next != "" {
		c.fault("it is settled before %s has drawn", next)
		return
	}
	result := resultOf(p.Round, c.player, c.banker)
	c.shoe.Results = append(c.shoe.Results, result)
	c.must(p.Result == result, "the result is %+v by the cards, and is said to be %+v", result, p.Result)
	for _, pay := range p.Paid {
		c.shoe.Bets++
		stands := c.bets[pay.UID][pay.On]
		c.must(pay.Amount > 0 && pay.Amount == stands, "%s is settled with %d on %s, and has bet %d", pay.UID, pay.Amount, pay.On, stands)
		c.must(pay.Paid == result.Paid(pay.On, pay.Amount), "%s gets %d for %d on %s, and should get %d", pay.UID, pay.Paid, pay.Amount, pay.On, result.Paid(pay.On, pay.Amount))
		c.moves(pay.UID, pay.Paid, pay.Stack)
		delete(c.bets[pay.UID], pay.On)
	}
	c.nothingLeft("settled")
}

// nothingLeft finds bets that a round forgot.
func (c *Checker) nothingLeft(how string) {
	for uid, stakes := range c.bets {
		c.must(stakes.sum() == 0, "%d of %s are not %s", stakes.sum(), uid, how)
	}
	c.bets = map[string]Stakes{}
}

func (c *Checker) roundVoided(p roundVoided) {
	if !c.inRound(p.Round, "it is voided", Betting, Dealing) {
		return
	}
	c.phase = Settled
	c.shoe.Voided++
	for _, back := range p.Returned {
		has := c.bets[back.UID].sum()
		c.must(back.Amount == has, "%s gets %d back, and has bet %d", back.UID, back.Amount, has)
		c.moves(back.UID, back.Amount, back.Stack)
		delete(c.bets, back.UID)
	}
	c.nothingLeft("given back")
}

func (c *Checker) refilled(p refilled) {
	if has, ok := c.stack(p.UID); ok {
		has += c.bets[p.UID].sum()
		c.must(has < RefillBelow, "%s is refilled and had %d", p.UID, has)
	}
	c.must(p.Stack == StartStack, "%s is refilled to %d", p.UID, p.Stack)
	c.stacks[p.UID] = p.Stack
}

// forgotten are guests that begin anew if they come again. That they had gone, and for
// the longest, cannot be checked: it is told to nobody who comes and goes.
func (c *Checker) forgotten(p forgotten) {
	stacks := len(c.stacks)
	c.shoe.Forgotten += len(p.UIDs)
	c.shoe.FromFirst = c.fromFirst()
	for _, uid := range p.UIDs {
		_, kept := c.stacks[uid]
		c.must(c.guest(uid), "%s is forgotten, who is no guest", uid)
		c.must(c.bets[uid].sum() == 0, "%s is forgotten and has bets", uid)
		c.must(kept || !c.fromFirst(), "%s is forgotten and has no stack", uid)
		delete(c.stacks, uid)
	}
	c.must(0 < len(p.UIDs) && len(p.UIDs) <= forgetAtOnce, "%d are forgotten at once, of 1 to %d", len(p.UIDs), forgetAtOnce)
	c.must(stacks >= MaxStacks || !c.fromFirst(), "guests are forgotten where %d stacks are kept, of %d", stacks, MaxStacks)
	c.forgets = true
}

// fromFirst reports whether the log was seen from the table's first shoe on, so that
// all stacks are known.
func (c *Checker) fromFirst() bool { return c.shoes[0].Shoe == 1 && c.shoes[0].FromRound == 0 }

// stack is what a user has, if that is known.
func (c *Checker) stack(uid string) (has int64, ok bool) {
	if has, ok = c.stacks[uid]; !ok && c.fromFirst() {
		return StartStack, true
	}
	return has, ok
}

// moves says that a stack has changed by so much and is now what an event says.
func (c *Checker) moves(uid string, by, stack int64) {
	if has, ok := c.stack(uid); ok {
		c.must(has+by == stack, "%s had %d; with %+d that is %d, and %d is said", uid, has, by, has+by, stack)
	}
	c.must(stack >= 0, "%s has %d", uid, stack)
	c.stacks[uid] = stack
}

// written is a hand as text.
func written(hand []Card) (text string) {
	for _, c := range hand {
		text += c.String()
	}
	return text
}
