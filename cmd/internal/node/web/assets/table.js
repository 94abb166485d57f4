// A table at which this window sits: what the room has told of it, and what is being bet there.

import { t } from "./i18n.js";
import { nextID } from "./protocol.js";
import { applyEvent, isBaccarat, settlement, sum, tableOf } from "./table-state.js";
import { sentence } from "./table-speech.js";

/** Events of a table that stand beside what people say; the rest is on the table. */
const SHOES = new Set(["shoe_started", "shoe_ended"]);
const SAID = new Set(["new_message", "paused", "round_voided", ...SHOES]);

/** Events after which what was refused before is over: there is something newer to tell. */
const NEWER = new Set(["round_opened", "betting_closed", "round_settled", "round_voided", "paused", "resumed", "rested"]);

const SHOWN_MS = 8000; // how long a problem lies over what the table says
const LATE_SHOWN_MS = 3000; // and one that needs no thought


export class Table {
  /** What is on it: table-state.js. Another object after each join. */
  game;
  /** Bets that are on their way: {id, round, on, amount, seq}; seq once it is known where the bet is stored. */
  placing = [];
  /** What a refill or taking back the bets waits for: "refill", "clear" or "". */
  waiting = "";
  /** The bets of the last round in which I had some, to place them again: {on: chips}. */
  lastBets = {};
  /** The seeds that ended shoes have told, and what was promised of them: {shoe, commit, seed, first, burned}. */
  shoes = new Map();
  #problem = null;
  #problemTimer = 0;
  #epoch = ""; // of the log
  #seq = 0; // up to which events are applied
  #me;
  #send;
  #changed;
  #say;

  /** The table of a room_joined; undefined: the room is none that this page knows. */
  static of(payload, options) {
    return isBaccarat(payload.state) ? new Table(payload, options) : undefined;
  }

  /** me() is the own uid, send(type, payload, id) a promise of its ack, changed() is called after anything here did, say(text) tells those who do not see. */
  constructor(payload, { me, send, changed, say }) {
    this.#me = me;
    this.#send = send;
    this.#changed = changed;
    this.#say = say;
    this.joined(payload);
  }

  /** Why the last thing was not done, a RoomError; null: nothing, or it has been shown long enough. */
  get problem() {
    return this.#problem;
  }

  #fails(problem, shownMs = SHOWN_MS) {
    clearTimeout(this.#problemTimer);
    this.#problem = problem;
    if (problem === null) return;
    this.#problemTimer = setTimeout(() => {
      this.#problem = null;
      this.#changed();
    }, shownMs);
  }

  /** Whether an event is shown among the messages. */
  static said({ type }) {
    return SAID.has(type);
  }

  /** The room was joined, again after a lost connection: what its state says counts. */
  joined({ epoch, state, state_seq }) {
    if (epoch !== this.#epoch) this.#beginAnew(epoch);
    const settled = this.game?.settled;
    this.game = tableOf(state);
    if (settled?.round === this.game.round) this.game.settled = settled; // it knows what the round brought me
    this.#shoe({ shoe: state.shoe, commit: state.commit });
    this.#appliedTo(state_seq);
    this.#changed();
  }

  // Another log is another table.
  #beginAnew(epoch) {
    Object.assign(this, { game: undefined, lastBets: {}, shoes: new Map() });
    this.#epoch = epoch;
    this.#seq = 0;
  }

  /** Events from before this window sat down, of which the shoes are kept. */
  recall(events) {
    for (const { type, payload } of events) if (SHOES.has(type)) this.#shoe(payload);
    this.#changed();
  }

  /** The shoes of which it is known what was promised, the newest first. */
  checkable() {
    return [...this.shoes.values()].filter(({ commit }) => commit).sort((a, b) => b.shoe - a.shoe);
  }

  /** One event of the room, in its order. */
  heard(event) {
    const { type, payload, seq } = event;
    if (SHOES.has(type)) this.#shoe(payload);
    if (type === "bet_placed" && payload.uid === this.#me()) this.#echo(payload);
    if (type === "round_settled") this.#keepBets(payload);
    if (NEWER.has(type) && this.problem?.outcome !== "unknown") this.#fails(null);
    if (event.replayed) {
      this.#replayed(event);
    } else {
      applyEvent(this.game, event, this.#me());
      const text = sentence(event, this.game, this.#me());
      if (text) this.#say(text);
    }
    this.#appliedTo(seq);
    this.#changed();
  }

  // What the state does not tell of the present round.
  #replayed({ type, payload }) {
    if (payload.round !== this.game.round) return;
    if (type === "round_settled") this.game.settled = settlement(payload, this.#me());
    if (type === "round_voided") this.game.voided = payload.reason;
    if (type === "betting_extended") this.game.extended = true;
  }

  /** What of mine is on its way to a spot, or to all of them: of this round, as a bet for another one is refused. */
  underway(on) {
    const mine = this.placing.filter((each) => each.round === this.game.round && !each.echoed && (on === undefined || each.on === on));
    return mine.reduce((all, { amount }) => all + amount, 0);
  }

  /** The chips that I can still bet. */
  get left() {
    return this.game.stack - this.underway();
  }

  /** What of mine is on the table, or on its way. */
  get staked() {
    return sum(this.game.bets) + this.underway();
  }

  /** Why the server would not take this bet now, as far as this page can know: {key, vars}; null: it may. */
  refusal(on, amount) {
    const { min = 0, max = Infinity } = this.game.limits[on] ?? {};
    const mine = (this.game.bets[on] ?? 0) + this.underway(on);
    if (this.left < amount) return { key: "table.poor", vars: { n: this.left } };
    if (mine + amount > max) return { key: mine > 0 ? "table.most.mine" : "table.most", vars: { on: t(`spot.${on}`), n: max, mine } };
    return mine + amount < min ? { key: "table.least", vars: { on: t(`spot.${on}`), n: min } } : null;
  }

  bet(on, amount) {
    const refusal = this.refusal(on, amount);
    if (!refusal) this.#place(on, amount);
    else this.#refuse(refusal);
  }

  /** Somebody bets while no bets are taken. */
  late() {
    this.#refuse({ key: "table.late" }, LATE_SHOWN_MS);
  }

  #refuse(refusal, shownMs) {
    this.#fails({ outcome: "refused", ...refusal }, shownMs);
    this.#changed();
  }

  #place(on, amount) {
    const bet = { id: nextID(), round: this.game.round, on, amount, seq: 0, echoed: false };
    this.placing.push(bet);
    this.#do("place_bet", { round: bet.round, on, amount }, bet.id).then((ack) => {
      bet.seq = ack?.seq ?? 0;
      if (!ack || bet.seq <= this.#seq) this.#remove(bet);
      this.#changed();
    });
  }

  /** Places what I had in the last round in which I bet. */
  again() {
    if (sum(this.lastBets) > this.left) return this.#refuse({ key: "table.poor", vars: { n: this.left } });
    for (const [on, amount] of Object.entries(this.lastBets)) this.bet(on, amount);
  }

  clear() {
    this.#wait("clear", "clear_bets", { round: this.game.round });
  }

  refill() {
    this.#wait("refill", "refill", {});
  }

  async #wait(what, type, payload) {
    if (this.waiting) return;
    this.waiting = what;
    await this.#do(type, payload, nextID());
    this.waiting = "";
    this.#changed();
  }

  // Resolves with the ack, or with undefined once the problem is shown.
  async #do(type, payload, id) {
    this.#fails(null);
    const done = this.#send(type, payload, id);
    this.#changed();
    try {
      return await done;
    } catch (error) {
      this.#fails(error);
      return undefined;
    }
  }

  #remove(bet) {
    this.placing = this.placing.filter((each) => each !== bet);
  }

  // The event of a bet may come before its ack.
  #echo({ round, on, amount }) {
    const early = this.placing.find((each) => !each.echoed && each.seq === 0 && each.round === round && each.on === on && each.amount === amount);
    if (early) early.echoed = true;
  }

  #appliedTo(seq) {
    this.#seq = Math.max(this.#seq, seq ?? 0);
    this.placing = this.placing.filter((each) => each.seq === 0 || each.seq > this.#seq);
  }

  #keepBets({ paid }) {
    const mine = paid.filter(({ uid }) => uid === this.#me());
    if (mine.length > 0) this.lastBets = Object.fromEntries(mine.map(({ on, amount }) => [on, amount]));
  }

  #shoe({ shoe, ...more }) {
    if (shoe > 0) this.shoes.set(shoe, { ...this.shoes.get(shoe), shoe, ...more });
  }
}

/** Whether bets are taken now, by the server's clock. */
export function takesBets({ game }, now) {
  return game.phase === "betting" && now < game.closesAt;
}
