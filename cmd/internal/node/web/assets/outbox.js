// What this user has written and the log has not shown yet. The client delivers it; this remembers what became of each.

import { RESEND_MS } from "./protocol.js";

/**
 * An entry's life: pending -> sent (stored, not yet seen) -> gone; or pending -> failed -> pending by hand. One that is
 * held waits for a new login. touched: it may have reached the server.
 */
export class Outbox {
  #entries = [];

  /** Adds a message; target is the key of its room or conversation. */
  add({ id, target, payload, at, touched = false }) {
    const entry = { id, target, payload, at, touched, held: false, status: "pending", error: null, seq: 0, echoed: false };
    this.#entries.push(entry);
    return entry;
  }

  get(id) {
    return this.#entries.find((e) => e.id === id);
  }

  /** The entries of target that a view shows: those whose event it does not show yet. */
  visible(target) {
    return this.#entries.filter((e) => e.target === target && !e.echoed);
  }

  /** Those that a new connection is to send. What may be stored already, under an id that the server would not know again, is for a person to decide. */
  due() {
    const held = this.#entries.filter((e) => e.held);
    for (const e of held) if (e.touched && Date.now() - e.at > RESEND_MS) this.failed(e.id, { outcome: "unknown", code: "no_answer" });
    return held.filter((e) => e.held);
  }

  /** There is a connection: from now on what waits may have been stored. */
  touch() {
    for (const e of this.#entries) e.touched = true;
  }

  /** The event is stored at seq; shown is how far its log has been shown. */
  stored(id, seq, shown) {
    const entry = this.get(id);
    if (!entry) return;
    if (seq <= shown) this.remove(id);
    else Object.assign(entry, { status: "sent", seq, echoed: false });
  }

  /** error is a RoomError. What the end of the client cut off waits for another one. */
  failed(id, error) {
    const entry = this.get(id);
    if (!entry) return;
    const held = error.code === "ended";
    if (error.outcome === "unsent") entry.touched = false;
    Object.assign(entry, { held, status: held ? "pending" : "failed", error: held ? null : error, echoed: false });
  }

  /** To be sent, or sent again. */
  pending(entry) {
    Object.assign(entry, { status: "pending", held: false, error: null });
  }

  /** An event of this user's own is in the log of target: its entry need not be shown any more. */
  echo(target, event) {
    const stored = this.#entries.find((e) => e.target === target && e.seq === event.seq);
    if (stored) {
      this.remove(stored.id);
      return;
    }
    const early = this.visible(target).find((e) => e.status === "pending" && e.payload.message === event.payload?.message);
    if (early) early.echoed = true; // its ack will tell whether it is the one
  }

  remove(id) {
    this.#entries = this.#entries.filter((e) => e.id !== id);
  }

  /** The log of target was loaded afresh: what is stored is in there. */
  reloaded(target) {
    this.#entries = this.#entries.filter((e) => e.target !== target || e.status !== "sent");
  }

  /** Nothing more can be sent to target (the room was left). */
  abandon(target) {
    this.#entries = this.#entries.filter((e) => e.target !== target);
  }

  /** What a reload of the page must not lose. */
  save() {
    return this.#entries.filter((e) => e.status !== "sent").map(({ id, target, payload, at, touched }) => ({ id, target, payload, at, touched }));
  }

  restore(saved) {
    for (const each of saved ?? []) this.add(each).held = true;
  }
}
