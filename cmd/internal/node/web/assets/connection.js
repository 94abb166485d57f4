// The protocol client: rooms and the position in each, resume, requests, the outbox. No page and no state of the chat:
// what it learns goes to the listener.

import { INBOX, backoff, isLogged, nextID, resumeValue } from "./protocol.js";
import { Outbox } from "./outbox.js";
import { Reconnector } from "./reconnect.js";
import { DISCONNECTED, Requests } from "./requests.js";

const MESSAGE_TOO_BIG = 1009;
const ASK_AGAIN = 4; // times for a page that was refused for now

/**
 * The listener (all functions are called in the order of the stream):
 *   phase({state, retryAt, trying, code, reason})   state: connecting | connected | reconnecting | ended
 *   welcome(payload)
 *   joined(room, payload, kind)                     kind: fresh | resumed | lost (reload its history)
 *   left(room, reason, asked)
 *   event(event)                                    a logged event, once, in order; room "@me" is the inbox
 *   passing(event)                                  presence, signal, online_users
 *   outbox()                                        an entry changed
 *   refused(error)                                  an error that belongs to no message, with what was asked
 */
export class Connection {
  // Fixed after construction.
  #listener;
  #reconnector;
  #requests = new Requests();
  // What survives a reconnect.
  outbox = new Outbox();
  #positions = new Map();
  #wanted = new Set();
  #current = ""; // what the server takes for the current room
  #oneByOne = false; // join the rooms by messages, not all in the address
  // Of the present connection.
  #ready = false; // the server said welcome
  #open = new Set(); // the rooms it has joined
  #leaving = new Set();
  #outboxTimer = 0;

  /** base is the address without a query; credentials are the Reconnector's. */
  constructor({ base, credentials, listener }) {
    this.#listener = listener;
    this.#reconnector = new Reconnector({ base, credentials, owner: this.#owner() });
  }

  get rooms() {
    return [...this.#wanted];
  }

  /** Connects, with rooms joined; the first one is the server's idea of the current room. */
  start(rooms) {
    for (const room of rooms) this.#wanted.add(room);
    this.#current = rooms[0] ?? "";
    this.#reconnector.start();
  }

  stop() {
    this.#reconnector.stop();
  }

  wake() {
    this.#reconnector.wake();
  }

  restart() {
    this.#reconnector.start();
  }

  // ---- what a person does ----

  join(room) {
    if (this.#wanted.has(room)) return;
    this.#wanted.add(room);
    if (this.#ready) this.#join(room);
  }

  leave(room) {
    this.#forget(room);
    if (!this.#ready) {
      this.#listener.left(room, "", true);
      return;
    }
    this.#leaving.add(room);
    if (this.#current === room) this.#current = "";
    this.#request("leave_room", { name: room }, room).catch((error) => {
      // Somebody else removed us first, or the connection broke: either way we are out.
      this.#leaving.delete(room);
      if (!this.#wanted.has(room)) this.#listener.left(room, error.code, true);
    });
  }

  /** Leaves one room for another. The server's own change_room leaves *its* current room, so it serves only for that one. */
  async change(from, to) {
    if (from === to) return;
    if (!this.#ready || this.#current !== from || this.#wanted.has(to)) {
      this.join(to);
      this.leave(from);
      return;
    }
    this.#leaving.add(from);
    this.#wanted.delete(from);
    try {
      await this.#request("change_room", { name: to }, from);
      this.#current = to;
      this.#wanted.add(to);
      this.#forget(from);
    } catch (error) {
      this.#leaving.delete(from);
      this.#wanted.add(from);
      this.#listener.refused({ ...error, asked: "join", room: to });
      this.#listener.left(to, error.code, true);
    }
  }

  /** Writes to a room. */
  say(room, payload) {
    this.#write(`room:${room}`, { type: "send_message", room, payload });
  }

  /** Writes to one person. */
  whisper(uid, payload) {
    this.#write(`user:${uid}`, { type: "private_message", payload: { ...payload, to_uid: uid } });
  }

  retry(id) {
    this.outbox.retry(id);
    this.#outboxChanged();
  }

  discard(id) {
    this.outbox.remove(id);
    this.#outboxChanged();
  }

  /** Tells the other members now or not at all. */
  signal(room, payload) {
    if (this.#ready && this.#open.has(room)) this.#reconnector.send({ type: "signal", room, payload });
  }

  /** One page of a room's log before seq (undefined: the newest). Rejects when not connected. */
  history(room, before, limit) {
    return this.#patiently("get_history", { name: room, before, limit }, room);
  }

  /** One page of who is in room. */
  online(room, after, limit) {
    return this.#patiently("get_online_users", { name: room, after, limit }, room);
  }

  /** One page of the rooms there are. */
  lobby(after, limit) {
    return this.#patiently("get_rooms", { after, limit });
  }

  // ---- the life of a connection ----

  #owner() {
    return {
      phase: (phase) => this.#listener.phase(phase),
      address: (query) => this.#address(query),
      received: (event) => this.#receive(event),
      down: (code) => this.#down(code),
      stranger: () => this.#positions.delete(INBOX),
      roomRefused: () => {
        // One room of many is the matter: asked for one by one, its own answer will say which.
        const hopeful = !this.#oneByOne;
        this.#oneByOne = true;
        return hopeful;
      },
    };
  }

  #address(query) {
    const first = this.#wanted.has(this.#current) ? this.#current : this.rooms[0];
    if (first !== undefined && !this.#oneByOne) query.set("room", first);
    this.#current = first ?? "";
    const known = [...this.#positions].filter(([room]) => !this.#oneByOne || room === INBOX);
    if (known.length > 0) query.set("resume", resumeValue(known));
  }

  #down(code) {
    clearTimeout(this.#outboxTimer);
    this.#ready = false;
    this.#open.clear();
    this.#leaving.clear();
    this.#requests.interrupted();
    if (code === MESSAGE_TOO_BIG) this.#tooBig();
    this.outbox.interrupted();
    this.#listener.outbox();
  }

  // Sent again it would close the next connection as well.
  #tooBig() {
    const culprit = this.outbox.entries.find((e) => e.inFlight);
    if (culprit) this.outbox.refused(culprit.id, { code: "too_big", message: "", retryable: false }, Date.now());
  }

  // ---- receiving ----

  #receive(event) {
    if (typeof event.room === "string" && event.room.startsWith("@")) event.room = INBOX;
    if (isLogged(event)) this.#logged(event);
    else this.#handlers.get(event.type)?.(event, event.payload ?? {});
  }

  #handlers = new Map([
    ["welcome", (_, payload) => this.#welcome(payload)],
    ["room_joined", (event, payload) => this.#joined(event.room ?? payload.room_id, payload)],
    ["room_left", (event, payload) => this.#left(event.room ?? payload.room_id, payload)],
    ["history", (event, payload) => this.#requests.answer(event.id, payload)],
    ["online_users", (event, payload) => this.#requests.answer(event.id, payload)],
    ["rooms", (event, payload) => this.#requests.answer(event.id, payload)],
    ["presence", (event) => this.#listener.passing(event)],
    ["signal", (event) => this.#listener.passing(event)],
    ["reconnect", (_, payload) => this.#reconnector.replaceIn(Math.max(0, Number(payload.after_ms) || 0))],
    ["ack", (event, payload) => this.#acked(event, payload)],
    ["error", (event, payload) => this.#refused(event, payload)],
  ]);

  #logged(event) {
    const position = this.#positions.get(event.room);
    if (!position || event.seq <= position.seq) return;
    position.seq = event.seq;
    this.#listener.event(event);
  }

  #welcome(payload) {
    this.#ready = true;
    this.#listener.welcome(payload);
    this.#reconnector.established(payload.heartbeat_s);
    for (const room of this.#wanted) {
      const inAddress = !this.#oneByOne && (room === this.#current || this.#positions.has(room));
      if (!inAddress) this.#join(room);
    }
    this.#flush();
  }

  #joined(room, payload) {
    const before = this.#positions.get(room);
    if (room !== INBOX) this.#wanted.add(room);
    this.#current ||= room === INBOX ? "" : room;
    this.#open.add(room);
    this.#positions.set(room, { epoch: payload.epoch, seq: payload.seq ?? 0 });
    let kind = "fresh";
    if (before) kind = payload.recovered ? "resumed" : "lost";
    if (kind === "lost") this.outbox.reloaded(`room:${room}`);
    this.#listener.joined(room, payload, kind);
    this.#flush();
  }

  #left(room, payload) {
    const asked = this.#leaving.delete(room);
    if (asked && this.#wanted.has(room)) return; // joined again meanwhile
    if (this.#wanted.has(room) && !asked) this.#listener.refused({ asked: "stay", room, code: payload.reason, message: "" });
    this.#forget(room);
    if (this.#current === room) this.#current = "";
    this.#listener.left(room, payload.reason, asked);
  }

  #acked(event, payload) {
    if (!this.outbox.get(event.id)) {
      this.#requests.acked(event.id, payload);
      return;
    }
    const comparable = event.room !== undefined && event.room !== INBOX;
    this.outbox.acked(event.id, event.seq, comparable ? this.#positions.get(event.room)?.seq : undefined);
    this.#outboxChanged();
  }

  #refused(event, payload) {
    const error = { code: payload.code, message: payload.message, retryable: payload.retryable === true };
    if (this.outbox.get(event.id)) {
      this.outbox.refused(event.id, error, Date.now());
      this.#outboxChanged();
    } else if (!this.#requests.refuse(event.id, error) && error.code !== "rate_limited") {
      this.#listener.refused(error);
    }
  }

  // ---- sending ----

  #request(type, payload, room) {
    if (!this.#ready) return Promise.reject(DISCONNECTED);
    const id = nextID();
    const answer = this.#requests.wait(id, type);
    this.#reconnector.send({ type, id, room, payload });
    return answer;
  }

  // What was refused for now (too much was asked for, or too many ask) is asked for again, a little later each time.
  async #patiently(type, payload, room) {
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.#request(type, payload, room);
      } catch (error) {
        if (!error.retryable || error.code === DISCONNECTED.code || tries === ASK_AGAIN) throw error;
        await new Promise((resolve) => setTimeout(resolve, backoff(tries)));
      }
    }
  }

  #join(room) {
    const since = this.#positions.get(room);
    this.#request("join_room", { name: room, since }, undefined).catch((error) => {
      if (error.code === "disconnected") return; // it is wanted, so the next connection asks again
      if (error.retryable) {
        setTimeout(() => this.#wanted.has(room) && this.#ready && !this.#open.has(room) && this.#join(room), backoff(1));
        return;
      }
      this.#forget(room);
      this.#listener.refused({ ...error, asked: "join", room });
      this.#listener.left(room, error.code, true);
    });
  }

  #forget(room) {
    this.#wanted.delete(room);
    this.#positions.delete(room);
    this.#open.delete(room);
    this.outbox.abandon(`room:${room}`);
  }

  #write(target, event) {
    const id = nextID();
    this.outbox.add({ id, target, event: { ...event, id }, at: Date.now() });
    this.#outboxChanged();
  }

  #outboxChanged() {
    this.#flush();
    this.#listener.outbox();
  }

  // A room's entries wait for room_joined: before it the server would answer not_member.
  #flush() {
    if (!this.#ready) return;
    const now = Date.now();
    for (const entry of this.outbox.due(now)) {
      if (entry.event.room !== undefined && !this.#open.has(entry.event.room)) continue;
      entry.inFlight = true;
      this.#reconnector.send(entry.event);
    }
    clearTimeout(this.#outboxTimer);
    const next = this.outbox.nextDue();
    if (next !== Infinity && next > now) this.#outboxTimer = setTimeout(() => this.#flush(), next - now);
  }
}
