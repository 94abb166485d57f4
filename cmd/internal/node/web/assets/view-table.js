// The table on view: which of its parts there are, what it says of itself, its clock, and its keys.

import { byID, eachFrame, h } from "./dom.js";
import { formatNumber, t } from "./i18n.js";
import { gainText, resultText, signed } from "./table-speech.js";
import { BetsView } from "./view-bets.js";
import { CardsView } from "./view-cards.js";
import { FairView } from "./view-fair.js";
import { RoadsView } from "./view-roads.js";

const TICK_MS = 200;
const HURRY_S = 5; // the clock turns red
const LONG = 60; // characters of a status: it is written smaller
const MINUTES_S = 100; // from here on it counts in minutes

const KEYS = [["1 – 5", "chips"], ["P B T", "bet"], ["⇧P ⇧B", "pairs"], ["C", "clear"], ["R", "again"]];

export class TableView {
  #state;
  #chat;
  #bets;
  #parts;
  #ticker = 0;
  #said = 0; // seq up to which what is said was in view

  constructor({ state, chat }) {
    this.#state = state;
    this.#chat = chat;
    this.#bets = new BetsView({ state, now: () => chat.now() });
    this.#parts = [this.#bets, new CardsView(), new RoadsView(), new FairView({ earlier: (room) => chat.earlierShoe(room) })];
    byID("keys").append(...KEYS.map(([keys, what]) => h("div", {}, h("dt", {}, ...keys.split(" ").map((key) => (key === "–" ? key : h("kbd", {}, key)))), h("dd", {}, t(`table.keys.${what}`)))));
    byID("switch").addEventListener("click", () => this.#switch());
    byID("table").addEventListener("keydown", (e) => this.#bets.key(e));
    const draw = eachFrame(() => this.#render());
    state.on(["active", "table", "phase", "log"], draw);
    draw();
  }

  #render() {
    const { active } = this.#state;
    const table = active?.table ?? null;
    const here = table !== null;
    byID("app").dataset.table = String(here);
    for (const id of ["table", "switch", "skip-table"]) byID(id).hidden = !here;
    clearInterval(this.#ticker);
    if (!here) {
      byID("chat").dataset.side = "";
      return;
    }
    byID("chat").dataset.side ||= "table";
    this.#sides(active);
    // Where there is room for one of the two only, the field for messages has just gone, and the focus with it.
    const { activeElement } = document;
    if (activeElement.closest(".talk") && !activeElement.checkVisibility()) byID("table").focus();
    const { game } = table;
    if (byID("table").dataset.phase !== game.phase) byID("table").dataset.phase = game.phase;
    byID("table-round").textContent = game.round > 0 ? t("table.round", { n: game.round }) : t("table");
    byID("table-shoe").textContent = [game.shoe > 0 && t("table.shoe", { n: game.shoe }), game.last && t("table.last")].filter(Boolean).join(" · ");
    this.#note(game);
    this.#status(game);
    for (const part of this.#parts) part.draw(active);
    this.#clock(active);
  }

  // On a narrow window the table and what is said take turns.
  #switch() {
    const chat = byID("chat");
    chat.dataset.side = chat.dataset.side === "talk" ? "table" : "talk";
    this.#sides(this.#state.active);
    byID(chat.dataset.side === "talk" ? "write" : "table").focus();
  }

  #sides({ timeline, readTo }) {
    const talking = byID("chat").dataset.side === "talk" || byID("write").checkVisibility();
    const mine = this.#state.me.uid;
    if (talking || this.#said === 0) this.#said = timeline.newest ?? readTo ?? 0;
    const fresh = timeline.events.filter((e) => e.seq > this.#said && e.type === "new_message" && e.payload?.uid !== mine).length;
    byID("switch-text").textContent = t(byID("chat").dataset.side === "talk" ? "table.back" : "table.chat");
    byID("switch-badge").textContent = fresh > 0 ? formatNumber(fresh) : "";
    if (fresh > 0) byID("switch").setAttribute("aria-label", `${t("table.chat")}, ${t("unread", { n: fresh })}`);
    else byID("switch").removeAttribute("aria-label");
  }

  #note(game) {
    const text = this.#noteText(game);
    const note = byID("table-note");
    note.hidden = text === "";
    if (note.textContent !== text) note.textContent = text;
  }

  #noteText({ paused, phase, extended }) {
    if (this.#state.phase.state !== "connected") return t("table.offline");
    if (paused) return t(phase === "betting" || phase === "dealing" ? "table.pausing" : "table.paused", { reason: paused });
    return extended && phase === "betting" ? t("table.extended") : "";
  }

  #status(game) {
    const lost = this.#state.phase.state !== "connected";
    const text = statusText(game, lost);
    byID("table-status").textContent = text;
    byID("table-status").dataset.long = String(text.length > LONG);
    const { settled, phase } = game;
    const gain = phase === "settled" && settled?.round === game.round && settled.staked > 0 ? settled.paid - settled.staked : null;
    byID("gain").textContent = gain === null ? "" : signed(gain);
    byID("gain").dataset.gain = gain === null ? "" : String(Math.sign(gain));
    byID("gain").title = gain === null ? "" : gainText(settled);
  }

  #clock(room) {
    const { game } = room.table;
    const clock = byID("clock");
    clock.hidden = game.phase !== "betting";
    if (clock.hidden) return;
    const show = () => {
      const left = Math.max(0, Math.ceil((game.closesAt - this.#chat.now()) / 1000));
      if (clock.dataset.left === String(left)) return;
      clock.dataset.left = String(left);
      clock.dataset.hurry = String(left <= HURRY_S);
      clock.textContent = left < MINUTES_S ? String(left) : `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
      clock.dataset.long = String(left >= MINUTES_S);
      clock.setAttribute("aria-label", t("table.left", { n: left }));
      if (left === 0) this.#bets.draw(room); // before the server says so
    };
    show();
    this.#ticker = setInterval(show, TICK_MS);
  }
}

function statusText(game, lost) {
  const { phase, round, settled, voided, player } = game;
  if (phase === "resting" && game.last && !game.commit) return t("table.shoe.over");
  if (phase === "betting") return t(lost ? "table.lost.connection" : "table.open");
  if (phase === "dealing" && game.nextAt === 0) return t("table.waiting");
  if (phase === "dealing") return t(player.length === 0 ? "table.closed" : "table.dealing");
  if (voided !== null) return t("table.voided", { round, reason: voided });
  if (settled?.round === round && round > 0) return resultText(settled);
  return phase === "resting" ? t("table.resting") : "";
}
