// Which rooms there are. The API answers on loopback or to a key only; elsewhere the page lives with the rooms it has seen.

const SEEN_KEY = "baccarat.rooms";
const SEEN_MAX = 30;
const EVERY_MS = 10_000;

function seen() {
  try {
    const names = JSON.parse(localStorage.getItem(SEEN_KEY));
    return Array.isArray(names) ? names.filter((n) => typeof n === "string") : [];
  } catch {
    return [];
  }
}

function remember(names) {
  const known = seen();
  if (names.every((name) => known.includes(name))) return;
  try {
    localStorage.setItem(SEEN_KEY, JSON.stringify([...new Set([...names, ...known])].slice(0, SEEN_MAX)));
  } catch {
    // Storage is off: the list begins anew with each visit.
  }
}

// Rooms as the API lists them. People's inboxes are rooms too, but not to be entered.
function fromAnswer({ rooms = [] }) {
  return rooms.filter(({ name }) => typeof name === "string" && !name.startsWith("@"));
}

export class Directory {
  #state;
  #timer = 0;
  #allowed = true;

  constructor(state) {
    this.#state = state;
  }

  /** Reads the list now and then again and again while somebody looks at the page. */
  start() {
    for (const name of seen()) this.#state.directory.set(name, undefined);
    this.#state.on(["rooms"], () => remember([...this.#state.rooms.values()].filter((r) => r.joined).map((r) => r.name)));
    this.refresh();
  }

  async refresh() {
    clearTimeout(this.#timer);
    if (!document.hidden && this.#allowed && this.#state.phase.state === "connected") await this.#read();
    if (this.#allowed) this.#timer = setTimeout(() => this.refresh(), EVERY_MS);
  }

  async #read() {
    try {
      const response = await fetch("/api/rooms", { signal: AbortSignal.timeout(EVERY_MS) });
      if (response.status === 401 || response.status === 403) this.#allowed = false;
      if (!response.ok) return;
      const fresh = new Map(seen().map((name) => [name, undefined]));
      for (const { name, count } of fromAnswer(await response.json())) fresh.set(name, count);
      this.#state.directory = fresh;
      this.#state.changed("directory");
    } catch {
      // The connection state says that the server is away; the next round asks again.
    }
  }
}
