// Which rooms there are to enter: those that the server lists, and those that this user's token names.

import { roomName } from "./protocol.js";

const EVERY_MS = 10_000;
const TYPED_MS = 300; // of a name that is being written
const PAGE = 100;

export class Directory {
  #state;
  #chat;
  #granted;
  #prefix = "";
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

  /** Lists only names that begin with text: a list has 100 rooms. */
  find(text) {
    this.#prefix = roomName(text);
    this.#schedule(TYPED_MS);
  }

  #schedule(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), ms);
  }

  async #read() {
    const prefix = this.#prefix;
    this.#asking = true;
    try {
      const { list } = await this.#chat.rooms(prefix, PAGE);
      const granted = this.#granted().filter((name) => name.startsWith(prefix));
      this.#state.directory = new Map([...granted.map((name) => [name, {}]), ...list.map(({ name, ...room }) => [name, room])]);
      this.#state.changed("directory");
    } catch {
      // The connection's state says that the server is away; the next round asks again.
    } finally {
      this.#asking = false;
    }
    if (this.#again) this.refresh();
  }
}
