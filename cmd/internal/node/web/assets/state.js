// What the page knows. Views read it and are told which part changed; only chat.js writes it.

import { byName } from "./i18n.js";
import { fieldsOf } from "./protocol.js";
import { Timeline } from "./timeline.js";

/** The parts a view can listen to. */
export const PARTS = ["me", "phase", "rooms", "active", "people", "log", "typing", "directory", "outbox", "table"];

// Of both kinds: readTo is the seq up to which somebody has looked (undefined: not known yet), newFrom that behind which
// the "new" line stands (null: nowhere), freshFrom the same unless it is from before a reload, unread how many of others'
// events are behind readTo (counted up to MOST_UNREAD).
const target = () => ({ timeline: new Timeline(), readTo: undefined, newFrom: null, freshFrom: null, unread: 0, reloaded: false, draft: { text: "", picture: "" } });

/** Unread events are counted up to here. */
export const MOST_UNREAD = 100;

/**
 * A room this user is in (or about to be: joined is false until the server says so). seat is the client's room, which
 * knows who is there; epoch that of the log to which readTo and newFrom belong; table what is played there (table.js).
 */
export function newRoom(name) {
  return { ...target(), kind: "room", key: `room:${name}`, name, joined: false, seat: null, epoch: "", typing: new Map(), table: null };
}

/** A conversation with one person, out of this user's inbox; closed: put away until one of the two writes again. */
export function newConversation(uid) {
  return { ...target(), kind: "private", key: `user:${uid}`, uid, closed: false };
}

export class State {
  me = { uid: "", username: "", avatar_id: "" };
  phase = { state: "connecting" };
  rooms = new Map();
  conversations = new Map();
  /** The room or conversation on view. */
  active = null;
  /** The rooms that this user may enter, as far as they are listed: name -> {count, label, page, table}; table: something is played there; count is undefined of one that is only granted, or a table that nobody has opened. */
  directory = new Map();
  /** Whether there are rooms beyond: "", "more" when they can be listed as well, "many" when there are too many. */
  beyond = "";
  /** Why the last room could not be entered: {room, code, message}, until one is on view. */
  refused = null;
  /** Everybody this page has heard of, by uid: a conversation needs a name when its person is away. */
  known = new Map();
  #listeners = new Map(PARTS.map((part) => [part, new Set()]));

  /** Calls fn whenever one of parts changed. */
  on(parts, fn) {
    for (const part of parts) this.#listeners.get(part).add(fn);
  }

  changed(...parts) {
    const due = new Set(parts.flatMap((part) => [...this.#listeners.get(part)]));
    for (const fn of due) fn();
  }

  room(name) {
    if (!this.rooms.has(name)) this.rooms.set(name, newRoom(name));
    return this.rooms.get(name);
  }

  conversation(uid) {
    if (!this.conversations.has(uid)) this.conversations.set(uid, newConversation(uid));
    return this.conversations.get(uid);
  }

  openConversations() {
    return [...this.conversations.values()].filter((each) => !each.closed);
  }

  /** The tables to sit at beside those at which one sits, [name, room] each: those with the most people first. */
  otherTables() {
    return this.#others().filter(([, { table }]) => table);
  }

  /** The rooms to enter beside those that one is in and tables, [name, room] each: page by page, so that a further one comes behind, and the site's, which have a label, before others. */
  otherRooms() {
    return this.#others().filter(([, { table }]) => !table);
  }

  #others() {
    const place = ([, { page, label }]) => 2 * page + (label === undefined ? 1 : 0);
    return [...this.directory]
      .filter(([name]) => !this.rooms.has(name))
      .sort((a, b) => place(a) - place(b) || (b[1].count ?? 0) - (a[1].count ?? 0) || byName(a[0], b[0]));
  }

  /** The room whose people are shown: the one on view, else the first. */
  peopleRoom() {
    return this.active?.kind === "room" ? this.active : this.rooms.values().next().value ?? null;
  }

  target(key) {
    return [...this.rooms.values(), ...this.conversations.values()].find((each) => each.key === key);
  }

  /** Who is in room, this user among them. */
  people(room) {
    const people = new Map((room?.seat?.members ?? []).map((user) => [user.uid, user]));
    if (room?.joined) people.set(this.me.uid, this.me);
    return people;
  }

  know(payload) {
    const user = fieldsOf(payload);
    if (user.uid) this.known.set(user.uid, { uid: user.uid, username: user.username || user.from || user.uid, avatar_id: user.avatar_id ?? "" });
  }

  person(uid) {
    return this.known.get(uid) ?? { uid, username: uid, avatar_id: "" };
  }

  unread() {
    let sum = 0;
    for (const target of [...this.rooms.values(), ...this.conversations.values()]) sum += target.unread;
    return sum;
  }
}
