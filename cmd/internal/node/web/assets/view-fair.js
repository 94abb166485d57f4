// How to see that a shoe is fair: what was promised, what was told at its end, and whether they fit.

import { byID, h, reconcile } from "./dom.js";
import { t } from "./i18n.js";
import { cardName } from "./table-speech.js";

const SHOWN = 3; // shoes, before somebody asks for more
const COPIED_MS = 2000;

export class FairView {
  #shown = SHOWN;
  #earlier;
  #room = null;

  /** earlier(room) looks in the history for one more shoe. */
  constructor({ earlier }) {
    this.#earlier = earlier;
    byID("fair-earlier").addEventListener("click", () => this.#more());
  }

  draw(room) {
    if (room !== this.#room) this.#shown = SHOWN;
    this.#room = room;
    const { name, table, timeline } = room;
    const list = table.checkable();
    byID("fair-how").textContent = t(table.shoes.size > 0 && list.length === 0 ? "table.fair.live" : "table.fair.how");
    reconcile(byID("fair-shoes"), list.slice(0, this.#shown), {
      key: ({ shoe, commit, seed = "", first = "" }) => `${name}-${shoe}-${commit}-${seed}-${first}`,
      make: (shoe) => shoeNode(name, shoe),
    });
    const button = byID("fair-earlier");
    const done = list.length <= this.#shown && !timeline.more;
    button.textContent = t(done ? "table.fair.none" : timeline.loading ? "log.loading" : "table.fair.earlier");
    button.setAttribute("aria-disabled", String(done || timeline.loading));
  }

  #more() {
    const room = this.#room;
    if (byID("fair-earlier").getAttribute("aria-disabled") === "true") return;
    const known = room.table.checkable().length;
    this.#shown = Math.max(SHOWN, Math.min(this.#shown, known)) + 1;
    if (known < this.#shown) this.#earlier(room);
    this.draw(room);
  }
}

function shoeNode(room, { shoe, commit, seed, first, burned }) {
  const row = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
  const hash = (text) => h("code", { class: "hash", dir: "ltr" }, text);
  const verdict = h("p", { class: "verdict", dataset: { testid: "verdict" } });
  if (seed) fits(seed, commit).then((right) => tell(verdict, right));
  return h("section", { dataset: { testid: "shoe", shoe } },
    h("h3", {}, t("table.shoe", { n: shoe })),
    h("dl", {},
      row(t("table.fair.commit"), hash(commit)),
      row(t("table.fair.seed"), ...(seed ? [hash(seed), " ", copy(seed)] : [h("span", { class: "quiet" }, t("table.fair.secret"))])),
      first && row(t("table.fair.first"), t("table.fair.burned", { card: cardName(first), n: burned ?? 0 }))),
    verdict,
    seed && h("p", {}, t("table.fair.check"), " ", h("code", { dir: "ltr" }, command(room, shoe)), " ", copy(command(room, shoe))));
}

// What checks a shoe against this server.
function command(room, shoe) {
  const name = /^[\w.-]+$/.test(room) ? room : `'${room.replaceAll("'", `'\\''`)}'`;
  const url = location.origin === "http://localhost:3000" ? "" : ` --url ${location.origin.replace(/^http/, "ws")}/ws`;
  return `roomctl baccarat verify ${name} --shoe ${shoe}${url}`;
}

// A button that copies text: what is beside it is marked where the browser lets no page write to the clipboard.
function copy(text) {
  const copied = async (e) => {
    const button = e.currentTarget;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection().selectAllChildren(button.previousElementSibling);
      return;
    }
    button.textContent = t("table.fair.copied");
    setTimeout(() => { button.textContent = t("table.fair.copy"); }, COPIED_MS);
  };
  return h("button", { type: "button", class: "copy", dataset: { testid: "copy" }, onclick: copied }, t("table.fair.copy"));
}

function tell(verdict, right) {
  if (right === undefined) return;
  verdict.dataset.right = String(right);
  verdict.textContent = t(right ? "table.fair.right" : "table.fair.wrong");
}

// Whether a seed is the one whose SHA-256 was told; undefined where the browser has no SHA-256 (a page that is neither from
// this machine nor over TLS).
async function fits(seed, commit) {
  if (!globalThis.crypto?.subtle || !/^([0-9a-f]{2})+$/.test(seed)) return undefined;
  const bytes = Uint8Array.from(seed.match(/../g), (pair) => parseInt(pair, 16));
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...sum].map((byte) => byte.toString(16).padStart(2, "0")).join("") === commit;
}
