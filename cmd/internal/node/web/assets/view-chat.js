// The frame around the messages: the head with whom or what one reads, the line of who is writing.

import { byID, eachFrame, h } from "./dom.js";
import { avatar } from "./avatars.js";
import { t } from "./i18n.js";

export class ChatView {
  #state;

  constructor({ state }) {
    this.#state = state;
    const draw = eachFrame(() => this.#render());
    state.on(["active", "people", "rooms", "typing"], draw);
    draw();
  }

  #render() {
    const { active } = this.#state;
    const panel = byID("chat");
    const isPrivate = active?.kind === "private";
    panel.dataset.kind = active?.kind ?? "";
    panel.dataset.room = active?.kind === "room" ? active.name : "";
    panel.dataset.uid = isPrivate ? active.uid : "";
    if (active) panel.setAttribute("aria-labelledby", `tab-${active.key}`);
    else panel.removeAttribute("aria-labelledby");
    this.#head(active, isPrivate);
    byID("typing").textContent = this.#typing(active);
  }

  #head(active, isPrivate) {
    const title = byID("chat-name");
    if (isPrivate) {
      const person = this.#state.person(active.uid);
      title.replaceChildren(avatar(person, "small"), h("bdi", {}, person.username));
      byID("chat-sub").textContent = t("private.with");
    } else {
      title.replaceChildren(h("bdi", {}, active?.name ?? ""));
      byID("chat-sub").textContent = active?.joined ? t("people.count", { n: active.seat.count }) : "";
    }
    byID("log").setAttribute("aria-label", active ? t("log.label", { room: title.textContent }) : "");
  }

  #typing(active) {
    const names = [...(active?.typing?.values() ?? [])].map((each) => each.name);
    if (names.length === 0) return "";
    if (names.length > 2) return t("typing.many");
    return t(names.length === 1 ? "typing.one" : "typing.two", { a: isolate(names[0]), b: isolate(names[1] ?? "") });
  }
}

// In a sentence there is no <bdi> around a name: these two characters do the same.
function isolate(name) {
  return `\u2068${name}\u2069`;
}
