// What is told to those who do not see the page: a screen reader reads each line as it comes.

import { byID, h } from "./dom.js";

const KEPT = 8; // lines; it has read older ones

/** Says text once, behind what is being said. */
export function announce(text) {
  const log = byID("announcer");
  log.append(h("p", {}, text));
  while (log.childElementCount > KEPT) log.firstElementChild.remove();
}
