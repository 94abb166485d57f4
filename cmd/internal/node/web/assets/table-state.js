// What the events of a baccarat table make of its state (rooms/wire/README.md): pure, so that every page that hears the
// same events shows the same table.

export const SPOTS = ["player_pair", "player", "tie", "banker", "banker_pair"];

/** The chips that there are to bet with: multiples of 20, as every bet is. */
export const CHIPS = [20, 100, 500, 1000, 5000];

/** Who has less than this, on the table too, may refill. */
export const REFILL_BELOW = 100;

const RANKS = "A23456789TJQK";

/** Whether what a room_joined carries is the state of such a table. */
export const isBaccarat = (state) => state?.game === "baccarat";

/** A table as room_joined tells of it. */
export function tableOf(state) {
  const { shoe = 0, commit = "", round = 0, phase, closes_at = 0, next_at = 0, paused = "", last = false, limits = {}, me = {} } = state;
  const table = {
    shoe, commit, round, phase, closesAt: closes_at, nextAt: next_at, paused, limits,
    last, // the round is the last one of the shoe
    player: [...state.player ?? []], banker: [...state.banker ?? []], totals: { ...state.totals }, results: [...state.results ?? []],
    stack: me.stack ?? 0, bets: { ...me.bets },
    extended: false, // the time for bets was made longer
    voided: null, // why the round has no result
    settled: null, // the last result, as settlement gives it
  };
  const result = table.results.at(-1);
  if (phase === "settled" && result?.round === round) table.settled = settlement({ ...result, player: table.player, banker: table.banker, paid: [] });
  return table;
}

const applies = {
  shoe_started: (table, { shoe, commit = "" }) => Object.assign(table, { shoe, commit, results: [], last: false }),
  round_opened: (table, { round, shoe, closes_at, last = false }) =>
    Object.assign(table, { round, shoe, last, phase: "betting", closesAt: closes_at, nextAt: 0, player: [], banker: [], totals: {}, bets: {}, extended: false, voided: null }),
  betting_extended: (table, { closes_at }) => Object.assign(table, { closesAt: closes_at, extended: true }),
  bet_placed(table, { uid, on, amount, stack }, me) {
    add(table.totals, on, amount);
    if (uid !== me) return;
    add(table.bets, on, amount);
    table.stack = stack;
  },
  bets_cleared(table, { uid, bets, stack }, me) {
    for (const [on, amount] of Object.entries(bets)) add(table.totals, on, -amount);
    if (uid === me) Object.assign(table, { bets: {}, stack });
  },
  betting_closed: (table, { totals, next_at = 0 }) => Object.assign(table, { phase: "dealing", closesAt: 0, nextAt: next_at, totals }),
  card_dealt(table, { to, index, card, next_at = 0 }) {
    table[to][index] = card;
    table.nextAt = next_at;
  },
  round_settled(table, payload, me) {
    const { round, winner, player_pair, banker_pair, player, banker, next_at } = payload;
    table.results.push({ round, winner, player_pair, banker_pair });
    for (const { uid, stack } of payload.paid) if (uid === me) table.stack = stack;
    Object.assign(table, { phase: "settled", closesAt: 0, nextAt: next_at, player, banker, bets: {}, settled: settlement(payload, me) });
  },
  round_voided(table, { reason, returned, next_at }, me) {
    for (const { uid, stack } of returned) if (uid === me) table.stack = stack;
    Object.assign(table, { phase: "settled", closesAt: 0, nextAt: next_at, bets: {}, totals: {}, voided: reason });
  },
  refilled(table, { uid, stack }, me) {
    if (uid === me) table.stack = stack;
  },
  paused: (table, { reason }) => Object.assign(table, { paused: reason }),
  resumed: (table) => Object.assign(table, { paused: "" }),
  rested: (table) => Object.assign(table, { phase: "resting", nextAt: 0 }),
};

/** Applies one event that the state does not hold yet; me is the uid of who looks. What it does not know changes nothing. */
export function applyEvent(table, { type, payload }, me) {
  if (Object.hasOwn(applies, type)) applies[type](table, payload, me);
}

/** How a round ended, and what it was for me: what was bet, and what came back in all. */
export function settlement({ round, winner, player_pair, banker_pair, player, banker, paid }, me) {
  const mine = paid.filter(({ uid }) => uid === me);
  const sum = (field) => mine.reduce((all, each) => all + each[field], 0);
  return { round, winner, player_pair, banker_pair, points: [points(player), points(banker)], mine, staked: sum("amount"), paid: sum("paid") };
}

function add(chips, on, amount) {
  chips[on] = (chips[on] ?? 0) + amount;
  if (chips[on] <= 0) delete chips[on];
}

export const sum = (chips) => Object.values(chips).reduce((all, amount) => all + amount, 0);

/** What a hand counts. */
export function points(hand) {
  return hand.reduce((all, card) => all + value(card), 0) % 10;
}

/** What a card counts: an ace 1, a ten or a face nothing. */
export function value(card) {
  const n = RANKS.indexOf(card[0]) + 1;
  return n < 10 ? n : 0;
}
