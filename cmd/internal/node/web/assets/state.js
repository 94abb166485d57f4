// What the page knows. Views read it and are told which part changed; only chat.js writes it.

import { Timeline } from "./timeline.js";

/** The parts a view can listen to. */
export const PARTS = ["me", "phase", "rooms", "active", "people", "log", "typing", "directory", "outbox"];

/**
 * A room this user is in (or about to be: joined is false until the server says so).
 * nextPeople is where the list of people goes on: "" at its start, undefined when all of it is held.
 */
export function newRoom(name) {
  return {
    kind: "room", key: `room:${name}`, name, timeline: new Timeline(), joined: false, unread: 0, reloaded: false,
    people: new Map(), count: 0, nextPeople: undefined, loadingPeople: false, typing: new Map(),
  };
}

/** A conversation with one person, out of this user's inbox; closed: put away until one of the two writes again. */
export function newConversation(uid) {
  return { kind: "private", key: `user:${uid}`, uid, timeline: new Timeline(), unread: 0, reloaded: false, closed: false };
}

export class State {
  me = { uid: "", username: "", avatar_id: "" };
  phase = { state: "connecting" };
  rooms = new Map();
  conversations = new Map();
  /** The room or conversation on view. */
  active = null;
  /** Rooms that exist, or that this browser has seen: name -> {count, title}, {} when the server does not list it. */
  directory = new Map();
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

  /** The room whose people are shown: the one on view, else the first. */
  peopleRoom() {
    return this.active?.kind === "room" ? this.active : this.rooms.values().next().value ?? null;
  }

  know(user) {
    if (user?.uid) this.known.set(user.uid, { uid: user.uid, username: user.username || user.from || user.uid, avatar_id: user.avatar_id ?? "" });
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
