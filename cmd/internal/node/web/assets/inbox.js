// The private messages: one log for all conversations, so one reader of it that sorts them by person.

import { fieldsOf } from "./protocol.js";

const PAGES = 5; // how many pages one "earlier" may turn until the conversation shows in one of them

export class Inbox {
  #state;
  #read;
  #filed;
  #oldest;
  #reading = null;
  #life = 0;
  /** Whether the log reaches further back. */
  more = true;
  /** Whether its newest page was asked for. */
  begun = false;

  /** read(before) answers one page of the log: {events, more}; filed(conversation) is told before something is put in. */
  constructor({ state, read, filed }) {
    this.#state = state;
    this.#read = read;
    this.#filed = filed;
  }

  /** Begins at the newest page. */
  restart() {
    this.forget();
    this.begun = true;
    return this.#page();
  }

  /** What was held is of another log. */
  forget() {
    this.#life += 1;
    this.#oldest = undefined;
    this.#reading = null;
    this.more = true;
    this.begun = false;
  }

  /** Reads back until there is more of conversation, or no more at all, or enough for once. */
  async earlier(conversation) {
    const held = conversation.timeline.events.length;
    for (let i = 0; i < PAGES && this.more && conversation.timeline.events.length === held; i += 1) await this.#page();
    conversation.timeline.more = this.more;
  }

  /** Puts an event with the other person; null when it is there already or belongs to nobody. */
  file(event) {
    const payload = fieldsOf(event.payload);
    const peer = payload.uid === this.#state.me.uid ? payload.to_uid : payload.uid;
    if (!peer) return null;
    this.#state.know(payload);
    const conversation = this.#state.conversation(peer);
    this.#filed(conversation);
    return conversation.timeline.add(event) ? conversation : null;
  }

  // Two that ask at once share one page.
  #page() {
    const life = this.#life;
    this.#reading ??= this.#turn(life).finally(() => {
      if (life === this.#life) this.#reading = null;
    });
    return this.#reading;
  }

  async #turn(life) {
    const { events, more } = await this.#read(this.#oldest);
    if (life !== this.#life) return;
    for (const event of events) this.file(event);
    this.#oldest = events[0]?.seq ?? this.#oldest;
    this.more = more && events.length > 0;
    if (!this.more) for (const each of this.#state.conversations.values()) each.timeline.more = false;
    this.#state.changed("rooms", "log");
  }
}
