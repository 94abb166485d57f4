// How to see that a shoe is fair: what was promised, what was told at its end, and whether they fit.

import { byID, h, reconcile } from "./dom.js";
import { t } from "./i18n.js";
import { cardName } from "./table-speech.js";

const SHOWN = 3; // shoes, the newest first

export class FairView {
  draw({ name, table: { shoes } }) {
    const list = [...shoes.values()].sort((a, b) => b.shoe - a.shoe).slice(0, SHOWN);
    byID("fair-how").textContent = t(list.length > 0 && list.every(({ commit }) => !commit) ? "table.fair.live" : "table.fair.how");
    reconcile(byID("fair-shoes"), list.filter(({ commit }) => commit), {
      key: ({ shoe, commit, seed = "" }) => `${name}-${shoe}-${commit}-${seed}`,
      make: (shoe) => shoeNode(name, shoe),
    });
  }
}

function shoeNode(room, { shoe, commit, seed, first, burned }) {
  const row = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
  const hash = (text) => h("code", { class: "hash", dir: "ltr" }, text);
  const verdict = h("p", { class: "verdict", dataset: { testid: "verdict" } });
  if (seed) fits(seed, commit).then((right) => tell(verdict, right));
  return h("section", { dataset: { testid: "shoe" } },
    h("h3", {}, t("table.shoe", { n: shoe })),
    h("dl", {},
      row(t("table.fair.commit"), hash(commit)),
      row(t("table.fair.seed"), seed ? hash(seed) : h("span", { class: "quiet" }, t("table.fair.secret"))),
      first && row(t("table.fair.first"), t("table.fair.burned", { card: cardName(first), n: burned ?? 0 }))),
    verdict,
    seed && h("p", {}, t("table.fair.check"), " ", h("code", { dir: "ltr" }, `roomctl baccarat verify ${room} --shoe ${shoe}`)));
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
