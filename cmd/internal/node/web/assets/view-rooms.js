// The rail: the rooms this user is in and the private conversations, as tabs; the rooms there are; a field for more.

import { arrowKeys, byID, eachFrame, h, icon, oneTabStop, reconcile } from "./dom.js";
import { avatar } from "./avatars.js";
import { roomName } from "./protocol.js";
import { formatNumber, has, t } from "./i18n.js";

const TABLE = "♠\ufe0e"; // the mark of a room at which one plays

export class RoomsView {
  #state;
  #chat;
  #find;
  #chosen;

  /** find(text) is called as somebody writes a room's name, more() for the rooms beyond those listed, chosen() when a room was. */
  constructor({ state, chat, find, more, chosen }) {
    this.#state = state;
    this.#chat = chat;
    this.#chosen = chosen;
    this.#find = find;
    this.#bind();
    byID("directory-more").addEventListener("click", more);
    const draw = eachFrame(() => this.#render());
    state.on(["rooms", "active", "directory", "me", "people"], draw);
    draw();
  }

  #bind() {
    byID("add-room").addEventListener("submit", (e) => {
      e.preventDefault();
      this.#add();
    });
    byID("add-room-name").addEventListener("input", () => {
      this.#problem("");
      this.#find(byID("add-room-name").value);
    });
    for (const id of ["room-tabs", "private-tabs"]) arrowKeys(byID(id), "[role=tab]", (tab) => tab.click());
    for (const id of ["tables", "directory"]) arrowKeys(byID(id), "button");
    byID("to-table").addEventListener("click", () => this.#enter(byID("to-table").dataset.room));
    byID("signout").append(icon("leave"));
  }

  #add() {
    const field = byID("add-room-name");
    const name = roomName(field.value);
    if (name === "") {
      this.#problem(t("rooms.bad"));
      field.focus();
      return;
    }
    field.value = "";
    this.#find("");
    this.#enter(name);
  }

  #problem(text) {
    byID("add-room-problem").textContent = text;
    byID("add-room-name").setAttribute("aria-invalid", String(text !== ""));
  }

  #enter(name) {
    this.#chat.join(name);
    this.#chosen();
    byID("write").focus();
  }

  #render() {
    const { rooms, me } = this.#state;
    const conversations = this.#state.openConversations();
    this.#tabs(byID("room-tabs"), [...rooms.values()]);
    this.#tabs(byID("private-tabs"), conversations);
    byID("private-section").hidden = conversations.length === 0;
    this.#directory();
    byID("me-name").textContent = me.username;
    byID("me-avatar").replaceChildren(avatar(me));
    const unread = this.#state.unread();
    document.title = `${unread > 0 ? `(${count(unread)}) ` : ""}${onView(this.#state)}${t("title")}`;
    byID("open-rooms").dataset.unread = String(unread);
  }

  #tabs(list, targets) {
    reconcile(list, targets, {
      key: (target) => target.key,
      make: (target) => this.#tab(target),
      update: (node, target) => this.#updateTab(node, target),
    });
    const tabs = [...list.querySelectorAll("[role=tab]")];
    oneTabStop(tabs, tabs.find((tab) => tab.getAttribute("aria-selected") === "true"));
  }

  #tab(target) {
    const isRoom = target.kind === "room";
    const id = `tab-${target.key}`;
    const tab = h(
      "button",
      {
        type: "button", role: "tab", class: "tab", id, "aria-controls": "chat",
        dataset: isRoom ? { testid: "room-tab", room: target.name } : { testid: "conversation-tab", uid: target.uid },
        onclick: () => this.#show(target.key),
        onkeydown: (e) => e.key === "Delete" && this.#close(target),
      },
      h("span", { class: "tab-mark", "aria-hidden": "true" }),
      h("bdi", { class: "tab-name" }),
      h("span", { class: "badge", dataset: { testid: "unread" } }),
    );
    const close = h("button", { type: "button", class: "icon-button tab-close", onclick: () => this.#close(target) }, icon("close"));
    return h("div", { role: "presentation", class: "tab-row" }, tab, close);
  }

  // By key: after leaving and joining again the room is another object.
  #show(key) {
    const target = [...this.#state.rooms.values(), ...this.#state.conversations.values()].find((each) => each.key === key);
    if (target && target !== this.#state.active) this.#chat.show(target);
    this.#chosen();
  }

  #close(target) {
    if (target.kind === "room") this.#chat.leave(target.name);
    else this.#chat.closeConversation(target.uid);
  }

  #updateTab(node, target) {
    const [tab, close] = node.children;
    const [mark, name, badge] = tab.children;
    const isRoom = target.kind === "room";
    const person = isRoom ? null : this.#state.person(target.uid);
    const label = isRoom ? target.name : person.username;
    name.textContent = label;
    if (isRoom) mark.textContent = target.table ? TABLE : "#";
    else mark.replaceChildren(avatar(person, "small"));
    tab.setAttribute("aria-selected", String(target === this.#state.active));
    tab.dataset.unread = String(target.unread);
    tab.dataset.joined = String(!isRoom || target.joined);
    badge.textContent = target.unread > 0 ? count(target.unread) : "";
    if (target.unread > 0) tab.setAttribute("aria-label", `${label}, ${t("unread", { n: target.unread })}`);
    else tab.removeAttribute("aria-label");
    close.setAttribute("aria-label", isRoom ? t("rooms.leave.named", { room: target.name }) : t("rooms.close.named", { name: person.username }));
    close.title = close.getAttribute("aria-label");
  }

  #directory() {
    const { beyond } = this.#state;
    const others = this.#state.otherRooms();
    const tables = this.#state.otherTables();
    this.#list(byID("tables"), tables, { testid: "table-room", mark: TABLE });
    this.#list(byID("directory"), others, { testid: "directory-room", mark: "#" });
    byID("tables-section").hidden = tables.length === 0;
    this.#toTable(tables);
    byID("directory-more").hidden = beyond !== "more";
    byID("directory-many").hidden = beyond !== "many";
    byID("directory-none").hidden = others.length > 0 || beyond !== "";
  }

  // Where the lists are in a drawer, the way to a table is above what is said, until one sits at one.
  #toTable(tables) {
    const { rooms, active } = this.#state;
    const first = [...rooms.values()].some(({ table }) => table) || active?.kind !== "room" || !active.joined ? undefined : tables[0]?.[0];
    byID("to-table").hidden = first === undefined;
    byID("to-table").dataset.room = first ?? "";
    byID("to-table-name").textContent = first === undefined ? "" : t("tables.sit", { room: first });
  }

  #list(list, rooms, kind) {
    reconcile(list, rooms, {
      key: ([name]) => name,
      make: ([name]) => this.#entry(name, kind),
      update: (node, [, room]) => this.#updateEntry(node, room),
    });
    oneTabStop([...list.querySelectorAll("button")], document.activeElement);
  }

  #entry(name, { testid, mark }) {
    return h(
      "li",
      { dataset: { testid, room: name } },
      h("button", { type: "button", class: "entry-join", onclick: () => this.#enter(name) },
        h("span", { class: "tab-mark", "aria-hidden": "true" }, mark),
        h("span", { class: "entry-name" }, h("bdi", { class: "tab-name" }, name), h("span", { class: "entry-title", dir: "auto" })),
        h("span", { class: "entry-count" })),
    );
  }

  #updateEntry(node, { count: people, label }) {
    const text = labelText(label);
    node.querySelector(".entry-title").replaceChildren(text, ...labelRoad(label));
    node.querySelector(".entry-count").textContent = people === undefined ? "" : formatNumber(people);
    node.querySelector("button").title = text;
    const words = [t("rooms.join.named", { room: node.dataset.room }), text, people !== undefined && t("people.count", { n: people })];
    node.querySelector("button").setAttribute("aria-label", words.filter(Boolean).join(", "));
  }
}

const count = (n) => (n > 99 ? "99+" : formatNumber(n));

// What is on view, for the title of the window and its history.
function onView(state) {
  const { active } = state;
  if (!active) return "";
  return `${active.kind === "room" ? active.name : state.person(active.uid).username} · `;
}

/** A room's label, which is any JSON, as one line. */
export function labelText(label) {
  if (label === undefined || label === null) return "";
  if (typeof label !== "object") return String(label);
  if (typeof label.title === "string") return label.title;
  if (label.game === "baccarat" && has(`label.${label.phase}`)) return t("label.baccarat", { phase: t(`label.${label.phase}`) });
  const words = Object.entries(label).map(([key, value]) => (Array.isArray(label) ? "" : `${key} `) + (typeof value === "object" ? JSON.stringify(value) : value));
  return words.join(" · ");
}

const ROAD = 12; // results that the list of rooms shows
const WINNERS = { P: "player", B: "banker", T: "tie" };

/** The last results of a baccarat table's label, as beads: for the eye only. */
export function labelRoad(label) {
  if (label?.game !== "baccarat" || typeof label.results !== "string" || label.results === "") return [];
  const beads = [...label.results.slice(-ROAD)].filter((letter) => WINNERS[letter]).map((letter) => h("i", { class: `dot dot-${WINNERS[letter]}` }));
  return [h("span", { class: "label-road", "aria-hidden": "true" }, ...beads)];
}
