// Between the connection and the state: what an event means for the chat, and what a person can do.

import { INBOX, imageURL } from "./protocol.js";
import { Connection } from "./connection.js";
import { Inbox } from "./inbox.js";

const PAGE = 50;
const PEOPLE_PAGE = 100;
const TYPING_EVERY_MS = 2000;
const TYPING_SHOWN_MS = 4500;
const DEFAULT_ROOM = "general";

export class Chat {
  #state;
  #identity;
  #notify;
  #connection;
  #inbox;
  #lastTyping = 0;

  /** notify({key, vars, error}) shows a passing notice. */
  constructor({ state, identity, base, notify }) {
    this.#state = state;
    this.#identity = identity;
    this.#notify = notify;
    this.#connection = new Connection({ base, credentials: identity, listener: this.#listener() });
    this.#inbox = new Inbox({ state, read: (before) => this.#connection.history(INBOX, before, PAGE) });
  }

  get outbox() {
    return this.#connection.outbox;
  }

  /** Connects; firstRoom (from the page's address) comes before what this window had open. */
  start(firstRoom) {
    const { rooms = [], active, outbox } = this.#identity.saved;
    this.outbox.restore(outbox);
    const names = [...new Set([firstRoom, ...rooms].filter(Boolean))];
    if (names.length === 0) names.push(DEFAULT_ROOM);
    const first = firstRoom || (names.includes(active) ? active : names[0]);
    for (const name of names) this.#state.room(name);
    this.show(this.#state.room(first));
    this.#state.changed("rooms");
    this.#connection.start([first, ...names.filter((n) => n !== first)]);
  }

  stop() {
    this.#connection.stop();
  }

  /** One page of the rooms there are, from the server. */
  lobby(after, limit) {
    return this.#connection.lobby(after, limit);
  }

  wake() {
    this.#connection.wake();
  }

  restart() {
    this.#connection.restart();
  }

  // ---- what a person does ----

  show(target) {
    this.#state.active = target;
    if (target) target.unread = 0;
    this.#state.changed("active", "rooms", "people", "log", "typing", "outbox");
    this.#save();
    if (target?.kind === "private") this.#fillConversation(target);
  }

  /** The page is looked at: what is on view is read. */
  read() {
    if (!this.#state.active?.unread) return;
    this.#state.active.unread = 0;
    this.#state.changed("rooms");
  }

  join(name) {
    const room = this.#state.room(name);
    this.#connection.join(name);
    this.show(room);
  }

  leave(name) {
    this.#connection.leave(name);
  }

  /** Leaves the room on view for another. */
  change(name) {
    const from = this.#state.active;
    if (from?.kind !== "room" || this.#state.rooms.has(name)) {
      this.join(name);
      return;
    }
    this.#connection.change(from.name, name);
    this.show(this.#state.room(name));
  }

  talkTo(uid) {
    if (!uid || uid === this.#state.me.uid) return;
    const conversation = this.#state.conversation(uid);
    conversation.closed = false;
    this.show(conversation);
  }

  /** Puts a conversation away until one of the two writes again. */
  closeConversation(uid) {
    this.#state.conversation(uid).closed = true;
    this.#leaveView();
    this.#state.changed("rooms");
  }

  /** Sends text and a picture (either may be empty) to whom is on view. */
  send(message, image) {
    const { active, me } = this.#state;
    if (!active) return;
    const payload = { message, from: me.username || this.#identity.username };
    if (imageURL(image)) payload.image_url = imageURL(image);
    if (active.kind === "room") this.#connection.say(active.name, payload);
    else this.#connection.whisper(active.uid, payload);
    this.#lastTyping = 0;
  }

  retry(id) {
    this.#connection.retry(id);
  }

  discard(id) {
    this.#connection.discard(id);
  }

  typing() {
    const { active } = this.#state;
    if (active?.kind !== "room" || Date.now() - this.#lastTyping < TYPING_EVERY_MS) return;
    this.#lastTyping = Date.now();
    this.#connection.signal(active.name, { typing: true });
  }

  /** Loads one earlier page of target, if there is one and none is under way. */
  async earlier(target) {
    const { timeline } = target;
    if (timeline.loading || !timeline.more) return;
    timeline.loading = true;
    this.#state.changed("log");
    try {
      if (target.kind === "room") await this.#earlierInRoom(target);
      else await this.#inbox.earlier(target);
    } catch (error) {
      if (error.code !== "disconnected") this.#notify({ error });
    } finally {
      timeline.loading = false;
      this.#state.changed("log");
    }
  }

  /** Nobody looks at the oldest events of target: beyond a bound they are fetched again when somebody does. */
  trim(target) {
    target.timeline.trim();
  }

  /** Loads the next page of who is in room; false when there is no more. */
  async morePeople(room) {
    if (room.loadingPeople || room.nextPeople === undefined) return false;
    room.loadingPeople = true;
    try {
      const page = await this.#connection.online(room.name, room.nextPeople || undefined, PEOPLE_PAGE);
      this.#addPeople(room, page.list);
      room.count = page.count ?? room.count;
      room.nextPeople = page.next || undefined;
      return true;
    } catch {
      return false; // scrolling or the next room_joined asks again
    } finally {
      room.loadingPeople = false;
      this.#state.changed("people");
    }
  }

  // ---- history ----

  async #earlierInRoom(room) {
    const { timeline } = room;
    const { generation } = timeline;
    const page = await this.#connection.history(room.name, timeline.oldest, PAGE);
    if (generation !== timeline.generation) return;
    timeline.prepend(page.events ?? []);
    timeline.more = Boolean(page.more) && (page.events ?? []).length > 0;
    for (const event of page.events ?? []) this.#state.know(event.payload);
  }

  #fillConversation(conversation) {
    conversation.timeline.more &&= this.#inbox.more;
    if (conversation.timeline.events.length === 0) this.earlier(conversation);
  }

  // ---- what the connection tells ----

  #listener() {
    return {
      phase: (phase) => {
        this.#state.phase = phase;
        this.#state.changed("phase");
      },
      welcome: ({ uid, username, avatar_id }) => {
        this.#state.me = { uid, username, avatar_id };
        this.#state.know(this.#state.me);
        this.#state.changed("me", "people", "log");
      },
      joined: (room, payload, kind) => this.#joined(room, payload, kind),
      left: (room, reason, asked) => this.#left(room, asked),
      event: (event) => this.#event(event),
      passing: (event) => this.#passing(event),
      outbox: () => {
        this.#state.changed("outbox");
        this.#save();
      },
      refused: (error) => this.#notify({ error }),
    };
  }

  #joined(name, payload, kind) {
    if (name === INBOX) {
      this.#inboxJoined(kind);
      return;
    }
    const room = this.#state.room(name);
    room.joined = true;
    room.people = new Map();
    this.#addPeople(room, [this.#state.me, ...(payload.list ?? [])]);
    room.count = payload.count ?? room.people.size;
    room.nextPeople = room.count > room.people.size ? "" : undefined;
    if (kind === "lost") {
      room.timeline.clear();
      room.reloaded = true;
    }
    if (!this.#state.active) this.show(room);
    this.#state.changed("rooms", "people", "log");
    this.#save();
    if (kind !== "resumed" || room.timeline.events.length === 0) this.earlier(room);
  }

  #inboxJoined(kind) {
    if (kind === "resumed") return;
    for (const conversation of this.#state.conversations.values()) {
      conversation.reloaded = kind === "lost" && conversation.timeline.events.length > 0;
      conversation.timeline.clear();
      this.outbox.reloaded(conversation.key);
    }
    this.#inbox.restart().catch((error) => error.code !== "disconnected" && this.#notify({ error }));
  }

  #left(name, asked) {
    const room = this.#state.rooms.get(name);
    this.#state.rooms.delete(name);
    if (room && !asked) this.#notify({ key: "notice.left", vars: { room: name } });
    this.#leaveView();
    this.#state.changed("rooms", "people");
    this.#save();
  }

  #leaveView() {
    const { active, rooms, conversations } = this.#state;
    const there = active?.kind === "room" ? rooms.has(active.name) : conversations.has(active?.uid) && !active.closed;
    if (!there) this.show(rooms.values().next().value ?? this.#state.openConversations()[0] ?? null);
  }

  #event(event) {
    if (event.room === INBOX) {
      const conversation = this.#inbox.file(event);
      if (!conversation) return;
      conversation.closed = false;
      this.#arrived(conversation, event);
      return;
    }
    const room = this.#state.room(event.room);
    if (!room.timeline.add(event)) return;
    this.#state.know(event.payload);
    room.typing.delete(event.payload?.uid);
    this.#arrived(room, event);
    this.#state.changed("typing");
  }

  #arrived(target, event) {
    const mine = event.payload?.uid !== undefined && event.payload.uid === this.#state.me.uid;
    if (mine && this.outbox.echoed(target.key, event)) this.#state.changed("outbox");
    const onView = target === this.#state.active && !document.hidden;
    if (!mine && !onView) target.unread += 1;
    if (target !== this.#state.active) target.timeline.trim();
    this.#state.changed("log", "rooms");
  }

  #passing({ type, room: name, payload, ...event }) {
    const room = this.#state.rooms.get(name ?? payload?.room_id);
    if (!room) return;
    if (type === "presence") this.#presence(room, payload);
    else if (payload?.typing) this.#typed(room, payload.uid ?? event.uid, payload.from ?? event.from);
  }

  #presence(room, { joined = [], left = [], count }) {
    this.#addPeople(room, joined);
    for (const { uid } of left ?? []) {
      room.people.delete(uid);
      room.typing.delete(uid);
    }
    room.count = count ?? room.people.size;
    this.#state.changed("people", "typing");
  }

  #addPeople(room, users) {
    for (const user of users ?? []) {
      room.people.set(user.uid, user);
      this.#state.know(user);
    }
  }

  #typed(room, uid, from) {
    if (!uid || uid === this.#state.me.uid) return;
    clearTimeout(room.typing.get(uid)?.timer);
    const timer = setTimeout(() => {
      room.typing.delete(uid);
      this.#state.changed("typing");
    }, TYPING_SHOWN_MS);
    room.typing.set(uid, { name: from || this.#state.person(uid).username, timer });
    this.#state.changed("typing");
  }

  #save() {
    const { rooms, active } = this.#state;
    this.#identity.save({ rooms: [...rooms.keys()], active: active?.kind === "room" ? active.name : undefined, outbox: this.outbox.save() });
  }
}
