// Who is in the room. However many they are, only those near the view are in the page.

import { arrowKeys, byID, eachFrame, h, oneTabStop, reconcile } from "./dom.js";
import { avatar } from "./avatars.js";
import { byName, t } from "./i18n.js";
import { isGuest } from "./protocol.js";

const STEP = 60; // how many more are drawn when the end comes near
const MOST_SEARCHED = 5000;

export class PeopleView {
  #state;
  #chat;
  #chosen;
  #shown = STEP;
  #room = null;
  #draw = eachFrame(() => this.#render());

  constructor({ state, chat, chosen }) {
    this.#state = state;
    this.#chat = chat;
    this.#chosen = chosen;
    state.on(["people", "active", "rooms"], this.#draw);
    byID("people-scroll").addEventListener("scroll", () => this.#nearEnd() && this.#more(), { passive: true });
    byID("people-find").addEventListener("input", () => {
      this.#shown = STEP;
      this.#draw();
    });
    arrowKeys(byID("people-list"), "button");
    byID("people-find").addEventListener("keydown", (e) => {
      if (e.key === "ArrowDown") byID("people-list").querySelector("button")?.focus();
    });
    this.#draw();
  }

  #nearEnd() {
    const { scrollTop, scrollHeight, clientHeight } = byID("people-scroll");
    return scrollHeight - scrollTop - clientHeight < 400;
  }

  #more() {
    if (!this.#room) return;
    if (this.#shown < this.#state.people(this.#room).size) {
      this.#shown += STEP;
      this.#draw();
    } else if (this.#room.seat && !this.#room.seat.complete) {
      this.#chat.morePeople(this.#room);
    }
  }

  #render() {
    const room = this.#state.peopleRoom();
    if (room !== this.#room) {
      this.#room = room;
      this.#shown = STEP;
      byID("people-find").value = "";
      byID("people-scroll").scrollTop = 0;
    }
    const people = this.#matching(room);
    const shown = people.slice(0, this.#shown);
    reconcile(byID("people-list"), shown, {
      key: (person) => person.uid,
      make: (person) => this.#person(person),
      update: (node, person) => this.#update(node, person),
    });
    const buttons = [...byID("people-list").querySelectorAll("button")];
    oneTabStop(buttons, document.activeElement);
    byID("people-count").textContent = room ? t("people.count", { n: room.seat?.count ?? 0 }) : "";
    byID("people-find").hidden = room === null;
    byID("people-none").hidden = people.length > 0 || byID("people-find").value === "";
    byID("people-none").textContent = this.#nobody(room);
    this.#continue(room, people.length);
  }

  // A search must not miss whom the list has not loaded; without one, the list loads as far as the view reaches.
  #continue(room, matches) {
    if (!room?.joined || room.seat.complete || this.#state.phase.state !== "connected") return;
    const searching = byID("people-find").value !== "" && matches < STEP;
    if (searching && room.seat.members.length < MOST_SEARCHED) this.#chat.morePeople(room);
  }

  // Why nobody is found.
  #nobody(room) {
    if (!room?.joined || room.seat.complete) return t("people.nobody");
    return room.seat.members.length < MOST_SEARCHED ? t("people.searching") : t("people.unsearched", { n: room.seat.members.length });
  }

  #matching(room) {
    if (!room) return [];
    const wanted = byID("people-find").value.normalize("NFC").trim().toLowerCase();
    const me = this.#state.me.uid;
    return [...this.#state.people(room).values()]
      .filter((p) => wanted === "" || (p.username || p.uid).toLowerCase().includes(wanted))
      .sort((a, b) => (b.uid === me) - (a.uid === me) || byName(a.username || a.uid, b.username || b.uid));
  }

  #person(person) {
    const button = h(
      "button",
      { type: "button", class: "person", dataset: { testid: "person", uid: person.uid }, onclick: () => this.#open(person.uid) },
      avatar(person),
      h("bdi", { class: "person-name" }),
      h("span", { class: "tag" }),
    );
    return h("li", {}, button);
  }

  #open(uid) {
    if (uid === this.#state.me.uid) return;
    this.#chat.talkTo(uid);
    this.#chosen();
    byID("write").focus();
  }

  #update(node, person) {
    const button = node.firstElementChild;
    const mine = person.uid === this.#state.me.uid;
    const name = person.username || person.uid;
    const [, label, tag] = button.children;
    if (label.textContent !== name) {
      label.textContent = name;
      button.firstElementChild.replaceWith(avatar(person));
    }
    const guest = !mine && isGuest(person.uid);
    tag.textContent = mine ? t("people.you") : guest ? t("msg.guest") : "";
    tag.title = guest ? t("msg.guest.hint") : "";
    tag.classList.toggle("tag-guest", guest);
    button.setAttribute("aria-disabled", String(mine));
    button.setAttribute("aria-label", mine ? `${name}, ${t("people.you")}` : [t("people.talk", { name }), guest && t("msg.guest")].filter(Boolean).join(", "));
    button.title = mine ? "" : t("people.talk", { name });
  }
}
