// Which rooms there are to enter: those that the server lists, tables at which nobody has been yet, and those that this user's
// token names.

import { roomName } from "./protocol.js";

const EVERY_MS = 10_000;
const TYPED_MS = 300; // of a name that is being written
const PAGE = 100; // rooms, as many as the server gives at once
const MOST_PAGES = 10; // all of them are read again each time: beyond that a person must narrow it down

export class Directory {
  #state;
  #chat;
  #granted;
  #prefix = "";
  #pages = 1; // that are to be read
  #timer = 0;
  #asking = false;
  #again = false;

  /** granted() gives the names of the rooms that the token names. */
  constructor({ state, chat, granted }) {
    this.#state = state;
    this.#chat = chat;
    this.#granted = granted;
    state.on(["phase"], () => state.phase.state === "connected" && this.refresh());
  }

  /** Reads the list, then again and again while somebody looks at the page. */
  refresh() {
    this.#schedule(EVERY_MS);
    if (document.hidden || this.#state.phase.state !== "connected") return;
    this.#again = this.#asking;
    if (!this.#asking) this.#read();
  }

  /** Lists only names that begin with text. */
  find(text) {
    this.#prefix = roomName(text);
    this.#pages = 1;
    this.#schedule(TYPED_MS);
  }

  /** Lists a page more. */
  more() {
    this.#pages = Math.min(this.#pages + 1, MOST_PAGES);
    this.refresh();
  }

  #schedule(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), ms);
  }

  async #read() {
    const prefix = this.#prefix;
    this.#asking = true;
    try {
      const granted = this.#granted().filter((name) => name.startsWith(prefix));
      const rooms = new Map(granted.map((name) => [name, { page: 0 }]));
      let after = "";
      let page = 0;
      do {
        const { list, next, tables = [] } = await this.#chat.rooms({ prefix, after, limit: PAGE });
        for (const name of tables) rooms.set(name, { page: 0, table: true });
        for (const { name, ...room } of list) rooms.set(name, { ...room, page, table: rooms.get(name)?.table || typeof room.label?.game === "string" });
        after = next;
        page += 1;
      } while (after !== "" && page < this.#pages);
      if (prefix === this.#prefix) this.#told(rooms, after !== "");
    } catch {
      // The connection's state says that the server is away; the next round asks again.
    } finally {
      this.#asking = false;
    }
    if (this.#again) this.refresh();
  }

  #told(rooms, more) {
    this.#state.directory = rooms;
    this.#state.beyond = more ? (this.#pages < MOST_PAGES ? "more" : "many") : "";
    this.#state.changed("directory");
  }
}
