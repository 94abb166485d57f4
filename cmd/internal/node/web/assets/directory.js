// Which rooms there are: those that the server lists for this person, and those that this browser has been in.

const SEEN_KEY = "baccarat.rooms";
const SEEN_MAX = 30;
const EVERY_MS = 10_000;
const PAGE = 100;
const MAX_PAGES = 10; // more rooms than that are not looked through for those with the most people

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

// What a room's label says to a person: a label is a text, or has a title.
function titleOf(label) {
  const title = typeof label === "object" ? label?.title : label;
  return typeof title === "string" ? title : "";
}

export class Directory {
  #state;
  #ask;
  #timer = 0;

  /** ask(after, limit) promises one page of rooms. */
  constructor(state, ask) {
    this.#state = state;
    this.#ask = ask;
  }

  /** Reads the list now and then again and again while somebody looks at the page. */
  start() {
    for (const name of seen()) this.#state.directory.set(name, {});
    this.#state.on(["rooms"], () => remember([...this.#state.rooms.values()].filter((r) => r.joined).map((r) => r.name)));
    this.refresh();
  }

  async refresh() {
    clearTimeout(this.#timer);
    if (!document.hidden && this.#state.phase.state === "connected") await this.#read();
    clearTimeout(this.#timer); // another may have begun meanwhile
    this.#timer = setTimeout(() => this.refresh(), EVERY_MS);
  }

  async #read() {
    const fresh = new Map(seen().map((name) => [name, {}]));
    try {
      for (let page = 0, after = ""; page < MAX_PAGES; page += 1) {
        const { list, next } = await this.#ask(after, PAGE);
        for (const { name, count, label } of list) fresh.set(name, { count, title: titleOf(label) });
        if (next === "") break;
        after = next;
      }
    } catch {
      return; // The connection state says that the server is away; the next round asks again.
    }
    this.#state.directory = fresh;
    this.#state.changed("directory");
  }
}
