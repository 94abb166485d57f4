// The events of one room or conversation that this page holds: sorted by seq, no repeats, bounded.

/** How many events are kept; older ones are fetched again when somebody scrolls there. */
export const KEEP = 2000;

const SLACK = 200; // so that not every event moves all others

export class Timeline {
  #events = [];
  #seqs = new Set();
  /** Whether the log reaches further back than what is held. */
  more = true;
  /** Whether a page is being fetched. */
  loading = false;
  /** Whether the last page that was asked for brought nothing: then only a person asks again. */
  stalled = false;
  /** Rises with clear: a page asked for before belongs to another log. */
  generation = 0;

  get events() {
    return this.#events;
  }

  get oldest() {
    return this.#events[0]?.seq;
  }

  get newest() {
    return this.#events.at(-1)?.seq;
  }

  /** Adds an event at its place; false when it is held already. */
  add(event) {
    if (this.#seqs.has(event.seq)) return false;
    let at = this.#events.length;
    while (at > 0 && this.#events[at - 1].seq > event.seq) at -= 1;
    this.#events.splice(at, 0, event);
    this.#seqs.add(event.seq);
    return true;
  }

  /** Adds a page of history, oldest first. */
  prepend(events) {
    const fresh = events.filter((e) => !this.#seqs.has(e.seq));
    for (const e of fresh) this.#seqs.add(e.seq);
    this.#events = [...fresh, ...this.#events].sort((a, b) => a.seq - b.seq);
  }

  /** Forgets the oldest beyond KEEP. */
  trim() {
    if (this.#events.length <= KEEP + SLACK) return;
    for (const e of this.#events.splice(0, this.#events.length - KEEP)) this.#seqs.delete(e.seq);
    this.more = true;
  }

  clear() {
    this.#events = [];
    this.#seqs.clear();
    this.more = true;
    this.loading = this.stalled = false;
    this.generation += 1;
  }
}
