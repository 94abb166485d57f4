// The events of one room or conversation that this page holds: sorted by seq, no repeats, bounded.

/** How many events are kept; older ones are fetched again when somebody scrolls there. */
export const KEEP = 2000;

const SLACK = 200; // so that not every event moves all others

/** What tells an event from all others of its log: what a table decided at once shares a seq. */
export const keyOf = ({ seq, index }) => (index ? `${seq}-${index}` : String(seq));

const order = (a, b) => a.seq - b.seq || (a.index ?? 0) - (b.index ?? 0);

export class Timeline {
  #events = [];
  #keys = new Set();
  #reached; // the seq up to which history was read, where that is not shown
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
    return this.#reached ?? this.#events[0]?.seq;
  }

  get newest() {
    return this.#events.at(-1)?.seq;
  }

  /** Adds an event at its place; false when it is held already. */
  add(event) {
    if (this.#keys.has(keyOf(event))) return false;
    let at = this.#events.length;
    while (at > 0 && order(this.#events[at - 1], event) > 0) at -= 1;
    this.#events.splice(at, 0, event);
    this.#keys.add(keyOf(event));
    return true;
  }

  /** Adds what is to be shown of a page of history, oldest first; reached is the seq of its first event. */
  prepend(events, reached) {
    const fresh = events.filter((e) => !this.#keys.has(keyOf(e)));
    for (const e of fresh) this.#keys.add(keyOf(e));
    this.#events = [...fresh, ...this.#events].sort(order);
    this.#reached = reached;
  }

  /** Forgets the oldest beyond KEEP. */
  trim() {
    if (this.#events.length <= KEEP + SLACK) return;
    for (const e of this.#events.splice(0, this.#events.length - KEEP)) this.#keys.delete(keyOf(e));
    this.#reached = undefined;
    this.more = true;
  }

  clear() {
    this.#events = [];
    this.#keys.clear();
    this.#reached = undefined;
    this.more = true;
    this.loading = this.stalled = false;
    this.generation += 1;
  }
}
