// What this user has written and the log has not shown yet. No socket, no page.
//
// One entry per target (room or person) is in flight at a time: that alone keeps the order when one of
// them is refused for now and has to be sent again.

/** An entry's life: pending -> sent (stored, not yet seen) -> gone; or pending -> failed -> pending by hand. */
export class Outbox {
  #entries = [];

  /** All entries, in the order they were written. */
  get entries() {
    return this.#entries;
  }

  /** The entries that a view of target shows: those whose echo has not been seen. */
  visible(target) {
    return this.#entries.filter((e) => e.target === target && e.echo === undefined);
  }

  /** Adds one event; target is what the order is kept for. */
  add({ id, target, event, at }) {
    const entry = { id, target, event, at, status: "pending", inFlight: false, notBefore: 0, tries: 0, error: null, echo: undefined };
    this.#entries.push(entry);
    return entry;
  }

  get(id) {
    return this.#entries.find((e) => e.id === id);
  }

  /** The entries to send now: the oldest pending one of each target, unless it is in flight or has to wait. */
  due(now) {
    return this.#heads().filter((e) => e.notBefore <= now);
  }

  /** When the next entry can be sent, or Infinity. */
  nextDue() {
    return Math.min(Infinity, ...this.#heads().map((e) => e.notBefore));
  }

  // The oldest pending entry of each target that has none in flight.
  #heads() {
    const seen = new Set();
    return this.#entries.filter((e) => {
      if (e.status !== "pending" || seen.has(e.target)) return false;
      seen.add(e.target);
      return !e.inFlight;
    });
  }

  /** The connection is gone: what was in flight goes again, under the same id. */
  interrupted() {
    for (const e of this.#entries) {
      e.inFlight = false;
      e.notBefore = 0;
    }
  }

  /** The event is stored at seq; position is how far this client has read that log (undefined: not comparable). */
  acked(id, seq, position) {
    const entry = this.get(id);
    if (!entry) return null;
    const seen = position === undefined ? entry.echo !== undefined : seq <= position;
    if (seen) return this.remove(id);
    entry.status = "sent";
    entry.inFlight = false;
    entry.seq = seq;
    entry.echo = undefined;
    return entry;
  }

  /** The event was refused: for now (then it goes again after a while), or until somebody says so. */
  refused(id, error, now) {
    const entry = this.get(id);
    if (!entry) return null;
    entry.inFlight = false;
    entry.error = error;
    entry.echo = undefined;
    if (error.retryable) {
      entry.tries += 1;
      entry.notBefore = now + Math.min(20_000, 500 * 2 ** entry.tries);
    } else {
      entry.status = "failed";
    }
    return entry;
  }

  /** An event of this user's own came back from the log of target: the entry it belongs to need not be shown any more. */
  echoed(target, event) {
    const entry = this.#entries.find((e) => e.target === target && e.echo === undefined && this.#same(e, event));
    if (!entry) return null;
    if (entry.status === "sent") return this.remove(entry.id);
    entry.echo = event.seq;
    return entry;
  }

  #same(entry, event) {
    if (event.id !== undefined) return entry.id === event.id;
    if (entry.status === "failed") return false;
    if (entry.status === "sent" && entry.seq !== undefined && entry.target.startsWith("room:")) return entry.seq === event.seq;
    return entry.event.payload.message === event.payload?.message;
  }

  /** Sends a failed entry again, under the same id: a refused event was not stored. */
  retry(id) {
    const entry = this.get(id);
    if (entry?.status !== "failed") return;
    Object.assign(entry, { status: "pending", error: null, notBefore: 0, tries: 0 });
  }

  remove(id) {
    const entry = this.get(id);
    this.#entries = this.#entries.filter((e) => e.id !== id);
    return entry ?? null;
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
    return this.#entries.filter((e) => e.status !== "sent").map(({ id, target, event, at }) => ({ id, target, event, at }));
  }

  restore(saved) {
    for (const entry of saved ?? []) this.add(entry);
  }
}
