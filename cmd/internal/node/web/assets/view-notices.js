// Passing notices: what was refused, and why.

import { byID, h, icon } from "./dom.js";
import { errorText, t } from "./i18n.js";

const SHOWN_MS = 7000;
const MOST = 4;

/** Shows {key, vars}, or {error: {code, message, room}}, for a while. */
export function notify({ key, vars, error }) {
  let text = key ? t(key, vars) : errorText(error);
  if (error?.asked === "stay") return; // the room says so itself
  if (error?.room) text = t("notice.join", { room: error.room, reason: text });
  const list = byID("notices");
  const node = h("div", { class: "notice", dataset: { testid: "notice" } }, h("p", { dir: "auto" }, text));
  node.append(h("button", { type: "button", class: "icon-button", "aria-label": t("close"), onclick: () => node.remove() }, icon("close")));
  list.append(node);
  while (list.childElementCount > MOST) list.firstElementChild.remove();
  setTimeout(() => node.remove(), SHOWN_MS);
}
