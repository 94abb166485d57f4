// Where the focus goes when what had it goes away: to its neighbour, never to the page itself, where the keyboard and a
// screen reader would begin anew.

import { eachFrame } from "./dom.js";

const FOCUSABLE = "button, input, textarea, a[href], [tabindex='0']";

let last = null; // what had the focus
let around = []; // what it was in, from the inside out

const usable = (el) => el.isConnected && !el.disabled && !el.closest("[inert]") && el.getClientRects().length > 0 && getComputedStyle(el).visibility !== "hidden";
// What is at a table is not landed in: the next Enter would bet. The table itself takes the focus.
const safe = (el) => el.closest("section[tabindex='-1']") ?? el;
const reachable = (el) => el.tabIndex >= 0 && usable(el);

function heir() {
  for (const place of around) {
    const found = place.isConnected && [...place.querySelectorAll(FOCUSABLE)].find(reachable);
    if (found) return safe(found);
  }
  return null;
}

/** Keeps the focus in the page. It returns to fallback() when nothing around is left. */
export function keepFocus(fallback) {
  document.addEventListener("focusin", ({ target }) => {
    last = target;
    around = [];
    for (let el = target.parentElement; el && el !== document.body; el = el.parentElement) around.push(el);
  });
  const check = eachFrame(() => {
    const { activeElement } = document;
    if (!last || (activeElement !== document.body && activeElement !== last)) return;
    if (!usable(last)) (heir() ?? fallback()).focus();
    else if (activeElement === document.body) last = null; // somebody clicked beside everything
  });
  new MutationObserver(check).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["hidden", "disabled", "inert", "open"] });
}
