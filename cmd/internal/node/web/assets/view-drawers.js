// On a narrow window the rail and the people are drawers: out of the way, out of the tab order, closed by Escape.

import { byID, icon } from "./dom.js";

const NARROW = matchMedia("(max-width: 899px)");
const SIDES = ["rooms", "people"];

// Beside a table there is no room for the people.
const isDrawer = (side) => NARROW.matches || (side === "people" && byID("app").dataset.table === "true");

export class DrawersView {
  #open = "";

  constructor() {
    byID("open-rooms").append(icon("menu"));
    byID("open-people").append(icon("people"));
    for (const side of SIDES) byID(`open-${side}`).addEventListener("click", () => this.show(side));
    for (const button of document.querySelectorAll("[data-close]")) {
      button.append(icon("close"));
      button.addEventListener("click", () => this.close());
    }
    byID("scrim").addEventListener("click", () => this.close());
    document.addEventListener("keydown", (e) => e.key === "Escape" && this.close());
    NARROW.addEventListener("change", () => this.#apply());
    new MutationObserver(() => this.#apply()).observe(byID("app"), { attributeFilter: ["data-table"] });
    this.#apply();
  }

  /** Closes what is open; the focus goes back to the button that opened it. */
  close() {
    const side = this.#open;
    if (!side) return;
    this.#open = "";
    this.#apply();
    byID(`open-${side}`).focus();
  }

  /** Opens side ("rooms" or "people") where it is a drawer; focus is what gets the focus in it. */
  show(side, focus = byID(side).querySelector("[data-close]")) {
    this.#open = side;
    this.#apply();
    focus.focus();
  }

  #apply() {
    if (this.#open && !isDrawer(this.#open)) this.#open = "";
    for (const side of SIDES) {
      byID(side).inert = isDrawer(side) && this.#open !== side;
      byID(side).classList.toggle("open", this.#open === side);
      byID(`open-${side}`).setAttribute("aria-expanded", String(this.#open === side));
    }
    byID("chat").inert = this.#open !== "";
    byID("scrim").hidden = this.#open === "";
  }
}
