// Where one bets: the spots with everybody's chips and one's own, the chips to choose from, and what one has.

import { byID, h, reconcile } from "./dom.js";
import { errorText, formatNumber, t } from "./i18n.js";
import { takesBets } from "./table.js";
import { CHIPS, REFILL_BELOW, SPOTS } from "./table-state.js";
import { signed } from "./table-speech.js";

const ODDS = { player: 1, banker: 0.95, tie: 8, player_pair: 11, banker_pair: 11 };
const MOST_CHIPS = 5; // that are drawn of one bet
const KEYS = { p: "player", b: "banker", t: "tie", P: "player_pair", B: "banker_pair" };

export class BetsView {
  #state;
  #now;
  #chip = CHIPS[1];
  #table = null;

  /** now() is the server's clock. */
  constructor({ state, now }) {
    this.#state = state;
    this.#now = now;
    byID("spots").append(...SPOTS.map((on) => this.#spot(on)));
    byID("chips").append(...CHIPS.map((chip) => this.#choice(chip)));
    byID("bet-again").addEventListener("click", () => this.#may("again") && this.#table.again());
    byID("bet-clear").addEventListener("click", () => this.#may("clear") && this.#table.clear());
    byID("refill").addEventListener("click", () => this.#table.refill());
  }

  draw({ table }) {
    this.#table = table;
    const { game } = table;
    for (const spot of byID("spots").children) this.#drawSpot(spot);
    for (const choice of byID("chips").querySelectorAll(".chip-choice")) this.#drawChoice(choice);
    byID("stack").textContent = formatNumber(table.left);
    byID("staked").textContent = formatNumber(table.staked);
    byID("refill").hidden = game.stack + table.staked >= REFILL_BELOW;
    off(byID("bet-again"), !this.#may("again"));
    off(byID("bet-clear"), !this.#may("clear"));
    this.#problem();
  }

  /** A key that was pressed at the table. */
  key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.repeat) { // a key that is held bets once, also on a button
      if (e.key === "Enter" && e.target.matches("button")) e.preventDefault();
      return;
    }
    const chip = CHIPS[Number(e.key) - 1];
    if (chip) this.#choose(chip);
    else if (KEYS[e.key]) this.#bet(KEYS[e.key]);
    else if (e.key === "c" && this.#may("clear")) this.#table.clear();
    else if (e.key === "r" && this.#may("again")) this.#table.again();
    else return;
    e.preventDefault();
  }

  #online() {
    return this.#state.phase.state === "connected";
  }

  #open() {
    return this.#online() && takesBets(this.#table, this.#now());
  }

  #may(what) {
    const { game, lastBets, waiting } = this.#table;
    if (!this.#online() || game.phase !== "betting" || waiting) return false;
    return what === "clear" ? this.#table.staked > 0 : Object.keys(lastBets).length > 0 && this.#table.staked === 0;
  }

  #bet(on) {
    if (this.#open()) this.#table.bet(on, this.#chip);
    else if (this.#online()) this.#table.late();
  }

  #choose(chip) {
    this.#chip = chip;
    byID("chips").querySelector(`[value="${chip}"]`).checked = true;
  }

  #spot(on) {
    return h("button", { type: "button", class: `spot spot-${on}`, dataset: { testid: "spot", on }, onclick: () => this.#bet(on) },
      h("span", { class: "spot-name" }, t(`spot.${on}`)),
      h("span", { class: "spot-odds" }, t("odds", { n: ODDS[on] })),
      h("span", { class: "spot-all", dataset: { testid: "total" } }),
      h("span", { class: "pile", "aria-hidden": "true" }),
      h("span", { class: "spot-mine", dataset: { testid: "mine" } }));
  }

  #drawSpot(spot) {
    const { on } = spot.dataset;
    const table = this.#table;
    const stored = table.game.bets[on] ?? 0;
    const underway = table.underway(on);
    const mine = stored + underway;
    const all = (table.game.totals[on] ?? 0) + underway;
    const [, , total, pile, own] = spot.children;
    const { paid, gain } = paidOn(table.game, on);
    total.textContent = all > 0 ? formatNumber(all) : "";
    total.title = all > 0 ? t("table.all", { n: all }) : "";
    own.textContent = paid > 0 ? signed(gain) : mine > 0 ? formatNumber(mine) : "";
    own.classList.toggle("paid", gain > 0);
    spot.dataset.underway = String(underway > 0);
    const { winner, player_pair, banker_pair, round } = table.game.phase === "settled" ? table.game.results.at(-1) ?? {} : {};
    spot.dataset.won = String(round === table.game.round && (winner === on || (on === "player_pair" && player_pair) || (on === "banker_pair" && banker_pair)));
    off(spot, !this.#open());
    const words = [t(`spot.${on}`), t("odds", { n: ODDS[on] }), mine > 0 && t("table.mine", { n: mine }), underway > 0 && t("table.sending"), all > 0 && t("table.all", { n: all }), paid > 0 && signed(gain)];
    spot.setAttribute("aria-label", words.filter(Boolean).join(t("comma")));
    reconcile(pile, pileOf(paid || mine), { key: ({ key }) => key, make: ({ chip }) => h("span", { class: `chip chip-${chip}` }) });
  }

  #choice(chip) {
    const input = h("input", { type: "radio", name: "chip", value: chip, checked: chip === this.#chip, "aria-label": t("table.chip.n", { n: chip }), onchange: () => this.#choose(chip) });
    return h("label", { class: "chip-choice", dataset: { testid: "chip", chip } }, input, h("span", { class: `chip chip-${chip}`, "aria-hidden": "true" }, chip >= 1000 ? `${chip / 1000}K` : String(chip)));
  }

  // One that cannot be paid can be chosen all the same: who presses a spot then is told.
  #drawChoice(choice) {
    const chip = Number(choice.dataset.chip);
    const poor = chip > this.#table.left;
    choice.dataset.poor = String(poor);
    choice.firstElementChild.setAttribute("aria-label", t(poor ? "table.chip.poor" : "table.chip.n", { n: chip }));
  }

  #problem() {
    const { problem } = this.#table;
    const line = byID("bet-problem");
    const words = problem ? problemWords(problem) : [];
    const text = words.map((each) => each.textContent ?? each).join(t("space"));
    line.hidden = text === "";
    if (line.textContent !== text) line.replaceChildren(...words.flatMap((each, i) => (i > 0 ? [t("space"), each] : [each])));
  }
}

// Texts, and of what the table itself says, which is in English, an element.
function problemWords(error) {
  if (error.outcome === "unknown") return [t("table.perhaps")];
  const what = t(error.outcome === "unsent" ? "table.unsent" : "table.notaken");
  if (error.key) return [what, t(error.key, error.vars)];
  if (error.code !== "refused") return [what, errorText(error)];
  if (error.message.startsWith("no more bets ")) return [what, t("table.late")];
  return [t("table.refused"), h("bdi", { lang: "en" }, error.message)];
}

// What came back on a spot, and how much more that is than was bet, while the round that has ended is shown.
function paidOn({ phase, round, settled }, on) {
  if (phase !== "settled" || settled?.round !== round) return { paid: 0, gain: 0 };
  const { paid, amount } = settled.mine.find((each) => each.on === on) ?? { paid: 0, amount: 0 };
  return { paid, gain: paid - amount };
}

// The chips of a bet, the largest first, as far as they are drawn.
function pileOf(amount) {
  const pile = [];
  for (const chip of [...CHIPS].reverse()) {
    for (; amount >= chip && pile.length < MOST_CHIPS; amount -= chip) pile.push({ chip, key: `${pile.length}-${chip}` });
  }
  return pile;
}

// Disabled it would lose the focus.
function off(button, is) {
  button.setAttribute("aria-disabled", String(is));
}
