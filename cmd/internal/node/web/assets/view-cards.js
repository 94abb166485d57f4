// The two hands: cards that are turned up one by one, and what they count.

import { byID, h, reconcile } from "./dom.js";
import { formatNumber, t } from "./i18n.js";
import { cardName } from "./table-speech.js";
import { points } from "./table-state.js";

const SUITS = { S: "♠\ufe0e", H: "♥\ufe0e", D: "♦\ufe0e", C: "♣\ufe0e" };
const RED = "HD";

export class CardsView {
  #game = null; // the one whose cards lie there: those of another were not dealt before our eyes
  #room = "";

  draw({ name, table: { game } }) {
    const dealt = game === this.#game;
    const stay = name === this.#room; // the same table, joined again: its cards lie where they lay
    this.#game = game;
    this.#room = name;
    for (const to of ["player", "banker"]) this.#hand(to, game, { dealt, stay });
  }

  #hand(to, game, { dealt, stay }) {
    const cards = game[to];
    const hand = byID(`hand-${to}`);
    const sum = points(cards);
    if (hand.childElementCount === 0) {
      hand.append(h("p", { class: "hand-name" }, h("span", {}, t(`spot.${to}`)), h("strong", { class: "points", dataset: { testid: `points-${to}` } })), h("div", { class: "cards" }));
    }
    const [head, list] = hand.children;
    hand.setAttribute("aria-label", cards.length > 0 ? `${t(`spot.${to}`)}, ${t("table.points", { n: sum })}` : t(`spot.${to}`));
    const counted = head.querySelector(".points");
    const text = cards.length > 0 ? formatNumber(sum) : "";
    if (counted.dataset.cards !== cards.join("")) counted.replaceChildren(...(text ? [h("span", { class: dealt ? "fresh" : "" }, text)] : []));
    counted.dataset.cards = cards.join("");
    const winner = game.phase === "settled" ? game.results.find(({ round }) => round === game.round)?.winner : "";
    hand.dataset.won = String(winner === to);
    if (!stay) list.replaceChildren();
    const places = [0, 1, ...(cards.length > 2 ? [2] : [])].map((index) => ({ index, card: cards[index] }));
    reconcile(list, places, {
      key: ({ index, card }) => `${card ? game.round : ""}-${index}-${card ?? ""}`,
      make: ({ index, card }) => (card ? cardNode(card, index, dealt) : h("span", { class: "place", dataset: { index }, "aria-hidden": "true" })),
    });
  }
}

// A card of which dealt says whether it is turned up now.
function cardNode(card, index, dealt) {
  const rank = card[0] === "T" ? "10" : card[0];
  const suit = SUITS[card[1]];
  const corner = (where) => h("span", { class: `corner ${where}` }, h("b", {}, rank), suit);
  return h("span", { class: `card${RED.includes(card[1]) ? " red" : ""}${dealt ? " dealt" : ""}`, role: "img", "aria-label": cardName(card), dataset: { testid: "card", card, index } },
    h("span", { class: "turning", "aria-hidden": "true" },
      h("span", { class: "face-up" }, corner("top"), h("span", { class: "pip" }, suit), corner("bottom")),
      h("span", { class: "face-down" })));
}
