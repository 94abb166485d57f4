// Between the client and the state: what an event means for the chat, and what a person can do.

import { connect } from "/client.js";
import { fieldsOf, imageURL, nextID } from "./protocol.js";
import { Inbox } from "./inbox.js";
import { Outbox } from "./outbox.js";
import { MOST_UNREAD } from "./state.js";
import { Table } from "./table.js";

const PAGE = 50;
const TABLE_PAGE = 100; // of a table, where most of what happened is on it
const TABLE_PAGES = 5; // that are read until one says something
const SHOE_READS = 8; // of TABLE_PAGES each, before a person is asked again
const PEOPLE_PAGE = 100;
const TYPING_EVERY_MS = 2000;
const TYPING_SHOWN_MS = 4500;
const SAVE_MS = 300;
const DEFAULT_ROOM = "general";

export class Chat {
  #state;
  #identity;
  #notify;
  #say;
  #client = null;
  #inbox;
  #uid = ""; // as whom we were welcomed last, also before a reload
  #inboxMark; // where the inbox stood when this window first looked: {epoch, seq}
  #opened = false;
  #saved = {}; // the marks and drafts of rooms and conversations that are not there yet
  #saveTimer = 0;
  #cut = null; // the phase before the browser said that it has no network, which the client notices later; null: it has one
  #lastTyping = 0;
  outbox = new Outbox();

  /** notify({key, vars, error}) shows a passing notice; say(text) tells what happens at the table on view to those who do not see it. */
  constructor({ state, identity, notify, say }) {
    this.#state = state;
    this.#identity = identity;
    this.#notify = notify;
    this.#say = say;
    this.#inbox = new Inbox({ state, read: (before) => this.#client.inbox.history({ before, limit: PAGE }), filed: (c) => this.#restore(c) });
    window.addEventListener("pagehide", () => this.#save());
    window.addEventListener("offline", () => this.#cutOff(true));
    window.addEventListener("online", () => this.#cutOff(false));
  }

  // ---- coming and going ----

  /** Connects as the identity says. Resolves when the server has let us in, rejects with a RoomError when it never will. */
  connect() {
    this.stop();
    const client = connect({
      ...this.#identity.credentials,
      onStatus: (status) => client === this.#client && this.#status(status),
      onError: (error) => (error.name === "RoomError" ? this.#notify({ error }) : console.error(error)),
      inbox: {
        members: 0,
        onRefresh: () => this.#inboxLost(),
        onJoined: (payload) => this.#inboxJoined(payload),
      },
    });
    this.#client = client;
    client.inbox.on("*", (payload, event) => this.#privately(event));
    return client.ready;
  }

  /** Opens what this window had open, and room or user of the page's address in front. */
  open({ room: name, user }) {
    const { uid, rooms, active, outbox, inboxMark, targets = {}, conversations = [] } = this.#identity.saved;
    this.#saved = { ...targets };
    this.#inboxMark = inboxMark ?? this.#inboxMark;
    this.outbox.restore(outbox);
    for (const each of new Set([...(name ? [name] : []), ...(rooms ?? (name ? [] : [DEFAULT_ROOM]))])) this.#join(each);
    for (const uid of conversations) this.#conversation(uid);
    let first = this.#state.target(active) ?? this.#state.rooms.values().next().value ?? null;
    if (name) first = this.#state.rooms.get(name);
    else if (user) first = this.#conversation(user);
    this.#opened = true;
    this.#look(first);
    const welcomed = this.#uid;
    this.#uid = uid ?? welcomed;
    if (welcomed) this.#isNow(welcomed);
    if (this.#state.phase.state === "connected") this.#deliverHeld();
  }

  stop() {
    this.#save();
    const client = this.#client;
    this.#client = null;
    client?.close();
  }

  /** Tries at once, also after the end. */
  wake() {
    this.#client.connect();
  }

  // ---- what a person does ----

  show(target) {
    if (target) Object.assign(target, { newFrom: null, freshFrom: null });
    this.#look(target);
  }

  /** The page is looked at again: what is on view is read. */
  read() {
    this.#read({ fresh: true });
  }

  join(name) {
    this.show(this.#join(name));
  }

  leave(name) {
    const room = this.#state.rooms.get(name);
    room?.seat.leave();
    if (room) this.#gone(room);
  }

  talkTo(uid) {
    if (!uid || uid === this.#state.me.uid) return;
    const conversation = this.#conversation(uid);
    conversation.closed = false;
    this.show(conversation);
  }

  /** Puts a conversation away until one of the two writes again. */
  closeConversation(uid) {
    this.#conversation(uid).closed = true;
    this.#leaveView();
    this.#state.changed("rooms");
  }

  /** Shows what the page's address says: a room is joined if it must be. */
  go({ room, user }) {
    if (room && room !== this.#state.active?.name) this.join(room);
    else if (user && user !== this.#state.active?.uid) this.talkTo(user);
  }

  draft(target, draft) {
    target.draft = draft;
    this.#saveSoon();
  }

  /** Sends text and a picture (either may be empty) to whom is on view. */
  send(message, image) {
    const { active, me, phase } = this.#state;
    if (!active) return;
    const payload = { message, from: me.username || this.#identity.username };
    if (imageURL(image)) payload.image_url = imageURL(image);
    const entry = this.outbox.add({ id: nextID(), target: active.key, payload, at: Date.now(), touched: phase.state === "connected" });
    this.#deliver(entry, active);
    this.#lastTyping = 0;
  }

  retry(id) {
    const entry = this.outbox.get(id);
    const target = this.#state.target(entry?.target);
    if (target) this.#deliver(entry, target);
  }

  discard(id) {
    this.outbox.remove(id);
    this.#outboxChanged();
  }

  typing() {
    const { active } = this.#state;
    if (active?.kind !== "room" || Date.now() - this.#lastTyping < TYPING_EVERY_MS) return;
    this.#lastTyping = Date.now();
    active.seat.signal({ typing: true });
  }

  /** The server's clock, ms since 1970. */
  now() {
    return this.#client?.now() ?? Date.now();
  }

  /** A page of the rooms that this user may enter: query is {prefix, after, limit}, the answer {list, next}. */
  rooms(query) {
    return this.#client.listRooms(query);
  }

  /** Loads one earlier page of target, if there is one and none is under way. */
  async earlier(target) {
    const { timeline } = target;
    if (timeline.loading || !timeline.more) return;
    timeline.loading = true;
    const { generation, events: { length: held } } = timeline;
    this.#state.changed("log");
    try {
      if (target.kind === "room") await this.#earlierInRoom(target);
      else await this.#inbox.earlier(target);
    } catch (error) {
      if (error.outcome === "refused") this.#notify({ error }); // else there is no connection, or no room any more
    } finally {
      if (generation === timeline.generation) Object.assign(timeline, { loading: false, stalled: timeline.events.length === held });
      this.#count(target);
      this.#state.changed("log", "rooms");
    }
  }

  /** Reads the history of a table until it tells of one more shoe that has ended, as far as a person waits for it. */
  async earlierShoe(room) {
    const { timeline, table } = room;
    const known = table.checkable().length;
    for (let reads = SHOE_READS; reads > 0 && timeline.more && !timeline.loading && table.checkable().length === known; reads -= 1) {
      const { oldest } = timeline;
      await this.earlier(room);
      if (timeline.oldest === oldest) return; // why not, a notice has said
    }
  }

  /** Nobody looks at the oldest events of target: beyond a bound they are fetched again when somebody does. */
  trim(target) {
    target.timeline.trim();
  }

  /** Has more of who is in room held. */
  morePeople(room) {
    // Everybody held is asked for again, so it doubles.
    room.seat.loadMembers(2 * Math.max(PEOPLE_PAGE, room.seat.members.length));
  }

  // ---- delivering ----

  #deliver(entry, { kind, uid, seat }) {
    const { id, payload } = entry;
    this.outbox.pending(entry);
    const send = kind === "room" ? seat.send("send_message", payload, { id }) : this.#client.send("private_message", { ...payload, to_uid: uid }, { id });
    const log = kind === "room" ? seat : this.#client.inbox;
    send.then(
      ({ seq }) => this.outbox.stored(id, seq, log.position?.seq ?? 0),
      (error) => this.outbox.failed(id, error),
    ).then(() => this.#outboxChanged());
    this.#outboxChanged();
  }

  // What a reload or an end kept, once there is a connection.
  #deliverHeld() {
    for (const entry of this.outbox.due()) {
      const target = entry.target.startsWith("user:") ? this.#conversation(entry.target.slice(5)) : this.#state.target(entry.target);
      if (target) this.#deliver(entry, target);
      else this.outbox.remove(entry.id);
    }
    this.outbox.touch();
  }

  #outboxChanged() {
    this.#state.changed("outbox");
    this.#saveSoon();
  }

  // ---- what is read ----

  #look(target) {
    this.#state.active = target;
    if (target) this.#state.refused = null;
    this.#read({ fresh: true });
    this.#state.changed("active", "rooms", "people", "log", "typing", "outbox");
    this.#saveSoon();
    if (target?.kind === "private" && target.timeline.events.length === 0) this.#fillConversation(target);
  }

  // fresh: nobody has looked for a while, so a line shows from where on it is new.
  #read({ fresh = false } = {}) {
    const target = this.#state.active;
    const newest = target?.timeline.newest;
    if (!target || document.hidden || target.readTo === undefined || !(newest > target.readTo)) return;
    this.#count(target);
    if (fresh && target.unread > 0) target.newFrom = target.freshFrom = target.readTo;
    target.readTo = newest;
    target.unread = 0;
    this.#state.changed("rooms", "log");
    this.#saveSoon();
  }

  #count(target) {
    target.unread = 0;
    if (target.readTo === undefined) return;
    const { events } = target.timeline;
    for (let i = events.length - 1; i >= 0 && events[i].seq > target.readTo && target.unread < MOST_UNREAD; i -= 1) {
      const quiet = this.#mine(events[i]) || (target.table && events[i].type !== "new_message"); // a shoe begins without a word to anybody
      if (!quiet) target.unread += 1;
    }
  }

  #mine(event) {
    return event.payload?.uid !== undefined && event.payload.uid === this.#state.me.uid;
  }

  // The newest events; and as far back as something is unread, within what is counted.
  async #fill(target) {
    const { timeline } = target;
    let held;
    do {
      held = timeline.events.length;
      await this.earlier(target);
    } while (timeline.events.length > held && timeline.events.length < MOST_UNREAD && timeline.more && timeline.oldest > target.readTo);
    this.#read({ fresh: true });
  }

  async #earlierInRoom(room) {
    const { timeline } = room;
    const { generation } = timeline;
    let said = [];
    for (let pages = room.table ? TABLE_PAGES : 1; pages > 0 && said.length === 0 && timeline.more; pages -= 1) {
      const { events, more } = await room.seat.history({ before: timeline.oldest, limit: room.table ? TABLE_PAGE : PAGE });
      if (generation !== timeline.generation) return;
      said = room.table ? events.filter(Table.said) : events;
      timeline.prepend(said, events[0]?.seq);
      timeline.more = more && events.length > 0;
      room.table?.recall(events);
      for (const event of said) this.#state.know(event.payload);
    }
  }

  #fillConversation(conversation) {
    conversation.timeline.more &&= this.#inbox.more;
    this.#fill(conversation);
  }

  // ---- what the client tells ----

  #status({ state, welcome, delay, error, code }) {
    this.#cut = null;
    const failed = state !== "connected" && (error !== undefined || this.#state.phase.failed);
    this.#state.phase = { state, code, error, failed, retryAt: delay === undefined ? undefined : Date.now() + delay };
    if (welcome) this.#welcomed(welcome);
    this.#state.changed("phase");
  }

  // Without a network nothing can be sent. One on this machine goes on all the same: then what is heard says that it does.
  #cutOff(cut) {
    const { phase } = this.#state;
    if (cut === (this.#cut !== null) || (cut && phase.state !== "connected")) return;
    this.#state.phase = cut ? { state: "reconnecting", failed: true } : this.#cut;
    this.#cut = cut ? phase : null;
    this.#state.changed("phase");
  }

  #welcomed({ uid, username, avatar_id }) {
    this.#identity.keepGuest(this.#client.guestToken);
    this.#isNow(uid);
    this.#state.me = { uid, username, avatar_id };
    this.#state.know(this.#state.me);
    this.#state.changed("me", "people", "log");
    this.#deliverHeld();
  }

  // Somebody else than before has other conversations: another token, or a guest whom the server did not know any more.
  #isNow(uid) {
    const another = this.#uid && this.#uid !== uid;
    this.#uid = uid;
    if (!another) return;
    for (const { key } of this.#state.conversations.values()) this.outbox.abandon(key);
    this.#state.conversations.clear();
    this.#saved = Object.fromEntries(Object.entries(this.#saved).filter(([key]) => !key.startsWith("user:")));
    this.#inboxMark = undefined;
    this.#inbox.forget();
    this.#leaveView();
    this.#state.changed("rooms", "outbox");
  }

  #join(name) {
    const room = this.#state.room(name);
    if (room.seat) return room;
    this.#restore(room);
    room.seat = this.#client.join(name, {
      onJoined: (payload) => this.#joined(room, payload),
      onRefresh: () => this.#lost(room),
      onLeft: (reason) => this.#left(room, reason),
      onMembers: () => this.#members(room),
    });
    room.seat.on("*", (payload, event) => (event.type === "signal" ? this.#typed(room, payload) : this.#event(room, event)));
    this.#state.changed("rooms");
    return room;
  }

  #joined(room, payload) {
    const { epoch, seq } = payload;
    room.joined = true;
    this.#sitDown(room, payload);
    if (room.epoch !== epoch) Object.assign(room, { epoch, readTo: seq, newFrom: null, freshFrom: null }); // seen for the first time, or another log
    if (!this.#state.active) this.show(room);
    this.#state.changed("rooms", "people", "log");
    this.#saveSoon();
    if (room.timeline.events.length === 0) this.#fill(room);
  }

  // A room that is a table: what is on it comes with every join.
  #sitDown(room, payload) {
    if (room.table && payload.state) {
      room.table.joined(payload);
      return;
    }
    room.table = Table.of(payload, {
      me: () => this.#state.me.uid,
      send: (type, what, id) => room.seat.send(type, what, { id }),
      changed: () => this.#state.changed("table"),
      say: (text) => room === this.#state.active && this.#say(text),
    }) ?? null;
    this.#state.changed("active", "table");
  }

  #lost(target) {
    target.reloaded = target.timeline.events.length > 0;
    target.timeline.clear();
    this.outbox.reloaded(target.key);
  }

  #left(room, { code, message }) {
    const { name, joined } = room;
    if (!joined) this.#state.refused = { room: name, code, message };
    this.#gone(room);
    if (joined) this.#notify({ key: "notice.left", vars: { room: name } });
    else if (this.#state.active && code === "forbidden") this.#notify({ key: "lobby.refused", vars: { room: name } });
    else if (this.#state.active) this.#notify({ error: { code, message, room: name } }); // else it stands where the messages would
  }

  #gone(room) {
    this.#state.rooms.delete(room.name);
    this.outbox.abandon(room.key);
    delete this.#saved[room.key];
    this.#leaveView();
    this.#state.changed("rooms", "people", "outbox");
    this.#saveSoon();
  }

  #leaveView() {
    const { active, rooms, conversations } = this.#state;
    const there = active?.kind === "room" ? rooms.get(active.name) === active : conversations.has(active?.uid) && !active.closed;
    if (!there) this.show(rooms.values().next().value ?? this.#state.openConversations()[0] ?? null);
  }

  #event(room, event) {
    this.#cutOff(false);
    room.table?.heard(event);
    if ((room.table && !Table.said(event)) || !room.timeline.add(event)) return;
    this.#state.know(event.payload);
    clearTimeout(room.typing.get(event.payload?.uid)?.timer);
    room.typing.delete(event.payload?.uid);
    this.#arrived(room, event);
    this.#state.changed("typing");
  }

  #arrived(target, event) {
    if (this.#mine(event)) {
      this.outbox.echo(target.key, event);
      this.#state.changed("outbox");
    }
    if (target === this.#state.active) this.#read();
    else target.timeline.trim();
    this.#count(target);
    this.#state.changed("log", "rooms");
    this.#saveSoon();
  }

  #members(room) {
    for (const user of room.seat.members) this.#state.know(user);
    this.#state.changed("people");
  }

  #typed(room, payload) {
    const { typing, uid, from } = fieldsOf(payload);
    if (!typing || !uid || uid === this.#state.me.uid) return;
    clearTimeout(room.typing.get(uid)?.timer);
    const timer = setTimeout(() => {
      room.typing.delete(uid);
      this.#state.changed("typing");
    }, TYPING_SHOWN_MS);
    room.typing.set(uid, { name: from || this.#state.person(uid).username, timer });
    this.#state.changed("typing");
  }

  // ---- the inbox ----

  #inboxJoined({ epoch, seq }) {
    if (this.#inboxMark?.epoch !== epoch) {
      this.#inboxMark = { epoch, seq };
      for (const each of this.#state.conversations.values()) Object.assign(each, { readTo: seq, newFrom: null, freshFrom: null });
    }
    if (!this.#inbox.begun) this.#inboxBegins();
  }

  async #inboxBegins() {
    try {
      await this.#inbox.restart();
    } catch (error) {
      if (error.outcome === "refused") this.#notify({ error });
    }
    for (const each of this.#state.conversations.values()) this.#count(each);
    if (this.#state.active?.kind === "private") this.#fillConversation(this.#state.active);
    this.#read({ fresh: true });
  }

  #inboxLost() {
    for (const each of this.#state.conversations.values()) this.#lost(each);
    this.#inbox.forget();
  }

  #privately(event) {
    const conversation = this.#inbox.file(event);
    if (!conversation) return;
    conversation.closed = false;
    this.#arrived(conversation, event);
  }

  #conversation(uid) {
    const conversation = this.#state.conversation(uid);
    this.#restore(conversation);
    return conversation;
  }

  // ---- what a reload restores ----

  // Gives a room or conversation the marks and the draft that it had. All are of one inbox, so what is in there since this
  // window first looked has not been read.
  #restore(target) {
    const saved = this.#saved[target.key];
    if (saved) Object.assign(target, saved);
    delete this.#saved[target.key];
    if (target.kind === "private") target.readTo ??= this.#inboxMark?.seq;
  }

  #saveSoon() {
    this.#saveTimer ||= setTimeout(() => this.#save(), SAVE_MS);
  }

  #save() {
    clearTimeout(this.#saveTimer);
    this.#saveTimer = 0;
    if (!this.#client || !this.#opened) return;
    const { rooms, conversations, active } = this.#state;
    const targets = { ...this.#saved };
    for (const { key, epoch, readTo, newFrom, draft, closed } of [...rooms.values(), ...conversations.values()]) targets[key] = { epoch, readTo, newFrom, draft, closed };
    this.#identity.save({
      uid: this.#uid, rooms: [...rooms.keys()], conversations: [...conversations.keys()], active: active?.key, targets,
      inboxMark: this.#inboxMark, outbox: this.outbox.save(),
    });
  }
}
