// A client of a roomd server that stays connected. README.md beside this file says how to use it, index.d.ts what
// everything is; the protocol is rooms/wire/README.md. No dependencies; nothing is touched at import.
//
// From the bottom up: time, Link (one WebSocket), Listeners, Members (who is in a room), Room, Client.

const INBOX = "@me"; // how a client calls its own inbox, which is a room that it is always in
const TICK_MS = 1000;
const LATE_MS = 3 * TICK_MS; // a tick that comes after this was held up, and proves nothing about the server
const TOKEN_MS = 30_000; // for the token function and the login
const HANDSHAKE_MS = 10_000; // until the server has said welcome
const DEAD_MS = 10_000; // without an answer to a probe
const WAKE_SILENCE_MS = 5000;
const SETTLED_MS = 10_000; // a connection that lasted this long ends a series of failures
const HIDDEN_FACTOR = 4; // a tab that nobody sees waits this much longer
const MAX_MOVE_MS = 60_000; // the longest wait that the server can ask for
const EXPLAIN_EVERY = 4; // refused handshakes: an outage is not the time for two more requests each
const RESEND_MS = 110_000; // the server knows an id for 2 minutes from when it stored the event, and may take a while to
const INTERNAL_TRIES = 4;
const QUEUE_EVENTS = 256;
const QUEUE_BYTES = 1 << 20;
const PAGE = 100; // people in one answer
const CLOSE_GONE = 1000;
const CLOSE_BACK = 4100; // between 4000 and 4499: the server keeps our seat
const TOO_BIG = 1009;
const TOKEN_ENDED = 4500;
const FORBIDDEN = 4501;

// What else carries a room and a seq is an event of that room's log, known or not.
const NOT_LOGGED = new Set([
  "welcome", "room_joined", "room_left", "presence", "online_users", "history", "rooms",
  "signal", "ack", "error", "reconnect", "heartbeat",
]);

// A moment on two clocks: the one may be set, the other may stand still while the machine sleeps.
const stamp = () => ({ wall: Date.now(), steady: performance.now() });
const since = (s) => Math.max(Date.now() - s.wall, performance.now() - s.steady);

const ESCAPES = { "=": "=3D", ",": "=2C", ":": "=3A" };
const resumeItem = (name, { epoch, seq }) => `${name.replace(/[=,:]/g, (c) => ESCAPES[c])}:${epoch}:${seq}`;
const roomName = (name) => (name.startsWith("@") ? INBOX : name.normalize("NFC"));
const ignore = () => {};

/** Why something was not done: outcome says what became of it, code and message why. */
export class RoomError extends Error {
  constructor(outcome, code, message, options) {
    super(message || code, options);
    this.name = "RoomError";
    this.outcome = outcome;
    this.code = code;
  }
}

// One WebSocket. owner.heard(link, event) and owner.closed(link, code, reason) are called until close().
class Link {
  opened = false;
  welcome = null; // the payload, and when it came
  since = stamp();
  rooms = new Map(); // what we asked this connection to join: name -> {room, joined, id}
  waited = 0; // ms of ticks in time for which something has been due
  #socket;
  #owner;
  #heard = stamp();
  #probing = false;

  constructor(WebSocket, url, owner) {
    this.#owner = owner;
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onopen = () => { this.opened = true; };
    socket.onmessage = (e) => this.#hear(e.data);
    socket.onclose = (e) => this.#ended(e.code, e.reason);
    socket.onerror = ignore; // its close says the same
  }

  // Whether it was handed to the socket.
  send(text) {
    if (this.#socket.readyState !== 1) return false;
    this.#socket.send(text);
    return true;
  }

  close(code) {
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(code);
  }

  // One tick. late: our own time stood still, so what we wait for gets all its time again.
  tick(ms, late) {
    this.waited = late ? 0 : this.waited + ms;
    if (!this.welcome) {
      if (this.waited > HANDSHAKE_MS) this.#ended(1006, "no welcome");
    } else if (!this.#probing) {
      const silence = 1500 * (this.welcome.heartbeat_s || 25);
      if (late || since(this.#heard) > silence) this.probe();
    } else if (late) {
      this.#ask();
    } else if (this.waited > DEAD_MS) {
      this.#ended(1006, "no answer");
    }
  }

  // Makes sure that somebody is there, after a sleep or a change of networks.
  check(silence = WAKE_SILENCE_MS) {
    if (this.welcome && since(this.#heard) > silence) this.probe();
  }

  probe() {
    if (!this.#probing) this.#ask();
  }

  #ask() {
    this.#probing = true;
    this.waited = 0;
    this.send('{"type":"heartbeat"}');
  }

  #hear(text) {
    this.#heard = stamp();
    this.#probing = false;
    let event;
    try {
      event = JSON.parse(text);
    } catch {
      this.#ended(1007, "what came is no JSON; is this the address of a roomd server?");
      return;
    }
    this.#owner.heard(this, event);
  }

  // Does not wait for the socket's own end, which takes minutes on a dead network.
  #ended(code, reason) {
    this.close(CLOSE_BACK);
    this.#owner.closed(this, code, reason);
  }
}

// Functions by the type of event they listen to.
class Listeners {
  #byType = new Map();
  #report;

  constructor(report) {
    this.#report = report;
  }

  add(type, fn) {
    if (typeof fn !== "function") throw new TypeError(`a listener for ${type} must be a function`);
    const entry = { fn }; // the same function may listen twice
    if (!this.#byType.has(type)) this.#byType.set(type, new Set());
    this.#byType.get(type).add(entry);
    return () => this.#byType.get(type)?.delete(entry);
  }

  clear() {
    this.#byType.clear();
  }

  emit(event) {
    for (const type of [event.type, "*"]) {
      for (const entry of [...(this.#byType.get(type) ?? [])]) {
        if (this.#byType.get(type)?.has(entry)) this.call(entry.fn, event.payload, event);
      }
    }
  }

  // Calls fn, if there is one; what it throws or rejects with is reported and stops nothing.
  call(fn, ...args) {
    try {
      const result = fn?.(...args);
      if (typeof result?.then === "function") result.then(undefined, this.#report);
    } catch (error) {
      this.#report(error);
    }
  }
}

// Who is in a room. Holds all, or of a large room those up to and with the uid `end`: the server lists them sorted by uid.
// What it tells of changes is complete, unless it says that it left some out: then the pages are asked for again.
class Members {
  list = new Map();
  count = 0;
  limit;
  #end = null; // null: everybody is in the list
  #ask; // ask(after) answers one page
  #changed;
  #timer = 0;
  #tries = 0;
  #reading = null; // the pages read so far: {list, end, news: what came since the present page was asked for}
  #again = false;

  constructor({ limit, ask, changed }) {
    Object.assign(this, { limit });
    this.#ask = ask;
    this.#changed = changed;
  }

  get complete() {
    return this.#end === null && this.list.size === this.count;
  }

  // A new list, from room_joined.
  reset(list, count) {
    this.stop();
    this.count = count;
    this.list = new Map(list.map((user) => [user.uid, user]));
    this.#end = list.length < count ? list.at(-1)?.uid ?? "" : null;
    this.#changed();
    this.#check(0);
  }

  // A presence event.
  tell(news) {
    this.count = news.count;
    apply(this.list, this.#end, news);
    if (this.#reading) {
      apply(this.#reading.list, this.#reading.end, news);
      this.#reading.news.push(news);
    }
    this.#changed();
    if (news.more) this.#soon();
    else this.#check();
  }

  more(limit) {
    this.limit = Math.max(this.limit, limit);
    this.#check(0);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = this.#tries = 0;
    this.#reading = null;
    this.#again = false;
  }

  #check(delay) {
    const held = this.list.size;
    if (this.#end === null ? held !== this.count : held < Math.min(this.limit, this.count)) this.#soon(delay);
    else this.#tries = 0;
  }

  // The more there are, the more ask at the same moment: they spread over a time that grows with their number.
  #soon(delay = Math.random() * Math.min(60_000, 10 * this.count * 2 ** this.#tries)) {
    if (this.#reading) this.#again = true;
    if (this.#reading || this.#timer || this.limit <= 0) return;
    this.#tries = Math.min(this.#tries + 1, 10);
    this.#timer = setTimeout(() => this.#read(), delay);
  }

  async #read() {
    const reading = this.#reading = { list: new Map(), end: "", news: [] };
    this.#timer = 0;
    this.#again = false;
    try {
      do {
        reading.news = [];
        const page = await this.#ask(reading.end, PAGE);
        if (reading !== this.#reading) return;
        this.#add(reading, page);
      } while (reading.end !== null && reading.list.size < this.limit);
    } catch {
      if (reading === this.#reading) this.#reading = null; // left, or closed: whoever joins again has a new list
      return;
    }
    this.#reading = null;
    this.list = reading.list;
    this.#end = reading.end;
    this.#changed();
    if (this.#again) this.#soon();
    else this.#check();
  }

  #add(reading, { list, next, count }) {
    this.count = count;
    for (const user of list) reading.list.set(user.uid, user);
    reading.end = next || null;
    // What was told while the page was on its way may be older or newer than the page. Told again it is right at the
    // latest with the next news.
    for (const news of reading.news) {
      apply(reading.list, reading.end, news);
      this.count = news.count;
    }
  }
}

function apply(list, end, { joined, left }) {
  for (const user of joined ?? []) if (end === null || user.uid <= end) list.set(user.uid, user);
  for (const { uid } of left ?? []) list.delete(uid);
}

/** One room, from join() to leave(). Names with _ are between it and the client. */
class Room {
  _alive = true;
  _position = null;
  _options;
  _settle; // of joined
  #client;
  #listeners;
  #members;

  constructor(client, name, options) {
    this.#client = client;
    this.name = name;
    this._options = options;
    this._position = options.since ? { ...options.since } : null;
    this.#listeners = new Listeners(client._report);
    this.#members = new Members({
      limit: name === INBOX ? 0 : options.members ?? PAGE,
      ask: (after, limit) => client._ask("get_online_users", { name, after, limit }, name),
      changed: () => this._call("onMembers", this),
    });
    /** Resolves when the server has let us in first; rejects when it refuses, or when we leave before. */
    this.joined = new Promise((resolve, reject) => { this._settle = { resolve, reject }; });
    this.joined.catch(ignore); // whoever wants to know awaits it
  }

  get position() {
    return this._position && { ...this._position };
  }

  get members() {
    return [...this.#members.list.values()];
  }

  get count() {
    return this.#members.count;
  }

  get complete() {
    return this.#members.complete;
  }

  on(type, fn) {
    return this.#listeners.add(type, fn);
  }

  send(type, payload, options) {
    return this.#client._send(type, payload, { ...options, room: this });
  }

  signal(payload) {
    return this._alive && this.#client._signal(this.name, payload);
  }

  async history({ before, limit } = {}) {
    const { events, more } = await this.#client._ask("get_history", { name: this.name, before, limit }, this.name, this);
    return { events, more };
  }

  loadMembers(limit) {
    this.#members.more(limit);
  }

  leave() {
    if (this._alive && this.name !== INBOX) this.#client._leave(this);
  }

  // It is over: nothing is delivered any more.
  _end(error) {
    this._alive = false;
    this.#members.stop();
    this.#listeners.clear();
    this._settle.reject(error);
  }

  _call(name, ...args) {
    if (this._alive) this.#listeners.call(this._options[name], ...args);
  }

  // A room_joined. Ours is the position from which all that follows counts.
  _joined(payload) {
    const was = this._position;
    const now = { epoch: payload.epoch, seq: payload.seq };
    const same = was?.epoch === now.epoch;
    const missed = was && !(same && payload.recovered);
    if (was && !missed) now.seq = Math.max(now.seq, was.seq); // the replay was seen
    this._position = now;
    this._settle.resolve(payload);
    if (missed) this._call("onRefresh", this);
    this._call("onJoined", payload, this);
    if (this._alive) this.#members.reset(payload.list ?? [], payload.count ?? 0);
  }

  _heard(event) {
    if (!this._alive) return;
    if (event.type === "presence") {
      this.#members.tell(event.payload);
    } else if (event.type === "signal") {
      this.#listeners.emit(event);
    } else if (!NOT_LOGGED.has(event.type) && event.seq > this._position.seq) {
      this._position.seq = event.seq;
      this.#listeners.emit(event);
    }
  }
}

class Client {
  // Fixed after construction.
  #options;
  #url;
  #WebSocket;
  #prefix = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join("");
  #listeners;
  // Over all connections.
  #state = "connecting";
  #closed = false; // by close()
  #rooms = new Map(); // that we want to be in
  #dirty = new Set(); // names of rooms to be joined or left at the end of this turn
  #queue = []; // what waits for its answer, in the order it was sent
  #bytes = 0;
  #issued = 0;
  #guest;
  #everWelcomed = false;
  #uid; // as whom we were welcomed last
  #failures = 0;
  #refusals = 0; // handshakes in a row
  #denied = false; // a fresh token was asked for because the last one was not taken
  #suspended = false; // the page is hidden for good, or until pageshow
  #beat = stamp();
  #ticker = 0;
  #retryTimer = 0;
  #flushTimer = 0;
  #moveTimer = 0;
  #moveAt = 0; // when the server wants us to connect anew
  #listening = null;
  #settleReady;
  // At most one of each: the connection in use, which was welcomed, and the one being opened: {abort, link, waited}.
  #link = null;
  #attempt = null;

  constructor(options) {
    this.#options = { minBackoff: 500, maxBackoff: 20_000, maxMessage: 16 << 10, ...options };
    this.#WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (!this.#WebSocket) throw new TypeError("there is no WebSocket here; give one in options.WebSocket");
    const base = options.url ?? globalThis.location?.origin;
    if (!base) throw new TypeError("options.url is missing; give the address of the server: wss://example.com/ws");
    this.#url = new URL(base, globalThis.location?.href);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    if (this.#url.pathname === "/") this.#url.pathname = "/ws";
    this.#guest = { ...options.guest };
    this.#listeners = new Listeners(this._report);
    /** Resolves with the first welcome; rejects when the client ends before. */
    this.ready = new Promise((resolve, reject) => { this.#settleReady = { resolve, reject }; });
    this.ready.catch(ignore);
    this.inbox = new Room(this, INBOX, options.inbox ?? {});
    this.#rooms.set(INBOX, this.inbox);
    queueMicrotask(() => this.#closed || this.#start()); // when the caller has what we return
  }

  get state() {
    return this.#state;
  }

  get welcome() {
    return this.#link?.welcome ?? null;
  }

  get rooms() {
    return [...this.#rooms.values()].filter((room) => room !== this.inbox);
  }

  get pending() {
    return this.#queue.length;
  }

  get guestToken() {
    return this.#guest.token;
  }

  /** The server's clock, in ms since 1970. */
  now() {
    const welcome = this.#link?.welcome;
    return welcome?.now === undefined ? Date.now() : welcome.now + since(this.#link.since);
  }

  on(type, fn) {
    return this.#listeners.add(type, fn);
  }

  join(name, options = {}) {
    if (this.#closed) throw new RoomError("unsent", "closed", "the client is closed");
    name = roomName(name);
    let room = this.#rooms.get(name);
    if (room) {
      Object.assign(room._options, options);
      return room;
    }
    room = new Room(this, name, { ...options });
    this.#rooms.set(name, room);
    this.#changed(name);
    return room;
  }

  send(type, payload, options) {
    return this._send(type, payload, options);
  }

  request(type, payload) {
    return this._ask(type, payload);
  }

  /** Connects at once: instead of waiting for the next try, or after the server had ended it. */
  connect() {
    if (this.#closed) throw new RoomError("unsent", "closed", "the client is closed");
    this.#failures = 0;
    this.#denied = false;
    if (this.#state === "ended") this.#start();
    else if (!this.#link && !this.#attempt) this.#open();
    else this.#link?.check();
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    const error = new RoomError("unsent", "closed", "the client was closed");
    const rooms = [...this.#rooms.values()];
    this.#rooms.clear();
    for (const room of rooms) room._end(error);
    this.#listeners.clear();
    this.#end(error, CLOSE_GONE);
  }

  // ---- between rooms and the client ----

  _report = (error) => {
    const { onError } = this.#options;
    try {
      if (onError) onError(error);
      else if (globalThis.reportError) globalThis.reportError(error);
      else console.error(error);
    } catch (second) {
      console.error(second, error);
    }
  };

  async _send(type, payload, { id, room } = {}) {
    if (room && !room._alive) throw new RoomError("unsent", "left", `the room ${room.name} was left`);
    return this.#enqueue({ type, payload, id, room: room?.name, stored: true });
  }

  async _ask(type, payload, room, of) {
    if (of && !of._alive) throw new RoomError("unsent", "left", `the room ${room} was left`);
    return this.#enqueue({ type, payload, room, stored: false });
  }

  _signal(room, payload) {
    const here = this.#link?.rooms.get(room)?.joined;
    return Boolean(here) && this.#link.send(JSON.stringify({ type: "signal", room, payload }));
  }

  _leave(room) {
    this.#dropRoom(room, new RoomError("unsent", "left", `the room ${room.name} was left`));
    this.#changed(room.name);
  }

  // ---- staying connected ----

  #start() {
    this.#suspended = false;
    this.#beat = stamp();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#listen();
    this.#open();
  }

  // The life of a page. Looked up here, because elsewhere there is none; one signal takes all of it back.
  #listen() {
    const { window, document } = globalThis;
    if (!window?.addEventListener || !document) return;
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const wake = () => this.#wake();
    window.addEventListener("pagehide", (e) => this.#suspend(e.persisted), { signal });
    window.addEventListener("pageshow", wake, { signal });
    window.addEventListener("online", () => this.#wake(0), { signal });
    document.addEventListener("resume", () => this.#wake(0), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || wake(), { signal });
  }

  // A page that may be shown again keeps its seat; one that goes away leaves at once.
  #suspend(mayReturn) {
    this.#suspended = true;
    this.#abandon();
    this.#release(mayReturn ? CLOSE_BACK : CLOSE_GONE);
    this.#say({ state: "reconnecting" });
  }

  #wake(silence) {
    if (this.#suspended || (this.#retryTimer && !this.#link)) {
      this.#suspended = false;
      this.#open();
    }
    this.#link?.check(silence);
  }

  #tick() {
    const ms = since(this.#beat);
    const late = ms > LATE_MS;
    this.#beat = stamp();
    this.#expire();
    this.#link?.tick(ms, late);
    const attempt = this.#attempt;
    if (attempt?.link) attempt.link.tick(ms, late);
    else if (attempt && (attempt.waited += late ? 0 : ms) > TOKEN_MS) this.#failed(new Error("no token came in time"));
    const link = this.#link;
    if (link?.renewAfter && since(link.since) > link.renewAfter && !this.#attempt && !this.#retryTimer) this.#open();
  }

  // Opens a connection beside the present one, if there is one, which stays in use until the new one is welcomed.
  async #open() {
    this.#abandon();
    const attempt = this.#attempt = { abort: new AbortController(), link: null, waited: 0 };
    if (!this.#link) this.#say({ state: this.#everWelcomed ? "reconnecting" : "connecting" });
    try {
      const query = await this.#credentials(attempt.abort.signal);
      if (attempt !== this.#attempt) return;
      this.#dial(attempt, query);
    } catch (error) {
      if (attempt === this.#attempt) this.#failed(error);
    }
  }

  #dial(attempt, query) {
    const url = new URL(this.#url);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const known = [...this.#rooms].filter(([name, room]) => room._position || name === INBOX);
    const items = known.map(([name, room]) => resumeItem(name, room._position ?? { epoch: "", seq: 0 }));
    url.searchParams.set("resume", items.join(","));
    attempt.link = new Link(this.#WebSocket, url.href, {
      heard: (link, event) => this.#heard(link, event),
      closed: (link, code, reason) => this.#lost(link, code, reason),
    });
    for (const [name, room] of known) attempt.link.rooms.set(name, { room, joined: false });
  }

  // Who we are, as query parameters. A JWT is exchanged for a ticket, so that it is in no URL.
  async #credentials(signal) {
    let { token } = this.#options;
    if (typeof token === "function") token = await token({ signal });
    if (token === undefined || token === null) return this.#guestLogin(signal);
    const { otp, token: jwt } = typeof token === "string" ? { [token.split(".").length === 3 ? "token" : "otp"]: token } : token;
    if (otp) return { otp };
    if (!jwt) throw new TypeError("the token function returned neither a ticket nor a token");
    const answer = await this.#login(signal, jwt);
    return answer ? { otp: answer.otp } : { token: jwt };
  }

  async #guestLogin(signal) {
    const { username, avatar_id, token } = this.#guest;
    let answer;
    try {
      answer = await this.#login(signal, token, { username, avatar_id });
    } catch (error) {
      if (error.status !== 401 || !token) throw error;
      this.#guest.token = undefined; // the server's key is another one: become a new guest of that name
      answer = await this.#login(signal, undefined, { username, avatar_id });
    }
    if (!answer) return { username: username ?? "", avatar_id: avatar_id ?? "" };
    this.#guest.token = answer.token ?? this.#guest.token;
    return { otp: answer.otp };
  }

  // POST /login beside /ws. undefined: this server has none.
  async #login(signal, bearer, body) {
    const headers = {};
    if (bearer) headers.Authorization = `Bearer ${bearer}`;
    if (body) headers["Content-Type"] = "application/json";
    const response = await fetch(this.#http("login"), { method: "POST", headers, body: body && JSON.stringify(body), signal });
    if (response.status === 404 || response.status === 405) return undefined;
    if (!response.ok) throw await refusal(response);
    return response.json();
  }

  #http(path) {
    const url = new URL(path, this.#url);
    url.protocol = url.protocol.replace("ws", "http");
    return url;
  }

  // The connection that was being opened is not to be.
  #abandon() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#moveTimer);
    this.#retryTimer = this.#moveTimer = 0;
    const attempt = this.#attempt;
    this.#attempt = null;
    attempt?.abort.abort();
    attempt?.link?.close(CLOSE_BACK);
  }

  // The present connection is over. What was under way goes again on the next one.
  #release(code) {
    clearTimeout(this.#flushTimer);
    const link = this.#link;
    this.#link = null;
    if (code) link?.close(code);
    if (link && since(link.since) > SETTLED_MS) this.#failures = 0;
    for (const entry of [...this.#queue]) if (entry.left) this.#giveUp(entry, "left", "the room was left");
  }

  #lost(link, code, reason) {
    if (link === this.#attempt?.link) {
      this.#attempt.link = null;
      if (link.opened) this.#failed({ closeCode: code, message: reason });
      else this.#explain();
      return;
    }
    if (link !== this.#link) return;
    if (code === TOO_BIG) this.#tooBig();
    this.#release();
    if (code >= 4500 && code <= 4999 && code !== TOKEN_ENDED) this.#endedBy(code, reason);
    else if (this.#attempt || this.#retryTimer) this.#say({ state: "reconnecting" });
    else this.#failed({ closeCode: code, message: reason });
  }

  // A browser does not say why a handshake was refused. The same request without the upgrade does, with a ticket of its own.
  async #explain() {
    const attempt = this.#attempt;
    attempt.waited = 0;
    let error = new Error("the handshake was refused");
    if (this.#refusals++ % EXPLAIN_EVERY === 0) {
      try {
        const { signal } = attempt.abort;
        const query = new URLSearchParams({ ...await this.#credentials(signal), resume: `${INBOX}::0` });
        error = await refusal(await fetch(`${this.#http(this.#url.pathname)}?${query}`, { signal }));
      } catch (failure) {
        error = failure;
      }
    }
    if (attempt === this.#attempt) this.#failed(error);
  }

  // There is no new connection, for now or for good.
  #failed(error) {
    this.#abandon();
    const { closeCode, status } = error;
    if (status === 401 || closeCode === TOKEN_ENDED) {
      const fixed = typeof this.#options.token === "string";
      if (fixed || this.#denied) {
        this.#endedBy(TOKEN_ENDED, error.message);
        return;
      }
      this.#denied = true;
      if (this.#failures === 0) {
        this.#failures += 1;
        this.#open();
        return;
      }
    } else if (error.final || status === 403) {
      this.#endedBy(FORBIDDEN, error.message);
      return;
    } else if (closeCode >= 4500 && closeCode <= 4999) {
      this.#endedBy(closeCode, error.message);
      return;
    }
    this.#retry(error);
  }

  // Full jitter: anywhere up to a bound that doubles with each failure.
  #retry(error) {
    const { minBackoff, maxBackoff } = this.#options;
    const bound = Math.min(maxBackoff, minBackoff * 2 ** this.#failures) * (globalThis.document?.hidden ? HIDDEN_FACTOR : 1);
    this.#failures = Math.min(this.#failures + 1, 30);
    let delay = Math.max(error.retryAfter ?? 0, Math.random() * bound);
    if (this.#moveAt > Date.now()) delay = Math.min(MAX_MOVE_MS, this.#moveAt - Date.now());
    this.#moveAt = 0;
    this.#retryTimer = setTimeout(() => this.#open(), delay);
    if (!this.#link) this.#say({ state: this.#everWelcomed ? "reconnecting" : "connecting", delay, bound, error });
  }

  #endedBy(code, message) {
    this.#end(new RoomError("unsent", "ended", message || `the server closed the connection for good (${code})`), CLOSE_GONE, code);
  }

  #end(error, closeCode, code) {
    this.#abandon();
    clearInterval(this.#ticker);
    clearTimeout(this.#flushTimer);
    this.#listening?.abort();
    this.#listening = null;
    this.#release(closeCode);
    for (const entry of [...this.#queue]) this.#giveUp(entry, error.code, error.message);
    this.#settleReady.reject(error);
    this.#say({ state: "ended", code, error });
  }

  #say(status) {
    this.#state = status.state;
    this.#listeners.call(this.#options.onStatus, status);
  }

  // ---- receiving ----

  #heard(link, event) {
    if (link === this.#attempt?.link) {
      if (event.type === "welcome") this.#welcomed(link, event.payload);
      else this.#lost(link, 1002, `the server's first event is ${event.type} instead of welcome`);
      return;
    }
    if (link !== this.#link) return;
    const payload = event.payload ??= {};
    const name = roomName(event.room ?? payload.room_id ?? "");
    const have = link.rooms.get(name);
    switch (event.type) {
      case "room_joined":
        if (!have || (event.id && event.id !== have.id)) break; // left, or asked again, meanwhile
        have.joined = true;
        have.room._joined(payload);
        this.#flush();
        break;
      case "room_left":
        if (have?.joined) this.#shut(have.room, payload.reason, `the server took us out of ${name}: ${payload.reason}`);
        break;
      case "reconnect":
        this.#move(Math.min(MAX_MOVE_MS, Math.max(0, Number(payload.after_ms) || 0)));
        break;
      case "ack":
        this.#settle(event.id)?.resolve({ id: event.id, seq: event.seq, room: event.room, duplicate: payload.duplicate === true });
        this.#flush();
        break;
      case "error":
        this.#refused(event, payload, have);
        break;
      default:
        this.#other(event, name, have);
    }
  }

  #other(event, name, have) {
    const asked = event.id && NOT_LOGGED.has(event.type) && this.#queue.some((e) => e.id === event.id && !e.stored);
    if (asked) this.#settle(event.id).resolve(event.payload);
    else if (have?.joined) have.room._heard(event);
    else if (name === "" && event.type !== "heartbeat") this.#listeners.emit(event);
  }

  #welcomed(link, welcome) {
    const old = this.#link;
    const before = this.#everWelcomed && this.#uid !== welcome.uid;
    this.#attempt = null;
    this.#link = link;
    old?.close(CLOSE_BACK);
    link.welcome = welcome;
    link.since = stamp();
    // Before the token ends, and not all that were given theirs together at one moment.
    const renews = typeof this.#options.token !== "string" && welcome.expires_in > 0;
    link.renewAfter = renews && 1000 * (welcome.expires_in - Math.min(60, welcome.expires_in / 2) * (0.5 + Math.random() / 2));
    this.#everWelcomed = true;
    this.#uid = welcome.uid;
    this.#denied = false;
    this.#refusals = this.#moveAt = 0;
    if (before) this.#becameAnother();
    this.#settleReady.resolve(welcome);
    this.#say({ state: "connected", welcome });
    if (link !== this.#link) return;
    for (const name of this.#rooms.keys()) this.#changed(name);
    this.#flush();
  }

  // The server knows ids only under the uid that used them, and another uid has another inbox.
  #becameAnother() {
    this.inbox._position = null;
    for (const entry of [...this.#queue]) {
      if (entry.first) this.#giveUp(entry, "new_uid", "we came back under another uid, under which the server does not know the event's id");
    }
  }

  #move(ms) {
    this.#moveAt = Date.now() + ms;
    clearTimeout(this.#moveTimer);
    this.#moveTimer = setTimeout(() => this.#open(), ms);
  }

  // have: the room that it names, if we asked for it.
  #refused({ id }, { code, message, retryable }, have) {
    const entry = id && this.#queue.find((e) => e.id === id);
    if (id) have = [...this.#link.rooms.values()].find((other) => other.id === id);
    if (entry) this.#answered(entry, code, message, retryable);
    else if (have && !have.joined) this.#notJoined(have, code, message, retryable);
    else if (!id && code !== "rate_limited") this._report(new RoomError("refused", code, message));
  }

  // ---- rooms ----

  // Joins and leaves go out at the end of the turn, so that those that cancel out are none.
  #changed(name) {
    if (this.#dirty.size === 0) queueMicrotask(() => this.#joinAndLeave());
    this.#dirty.add(name);
  }

  #joinAndLeave() {
    const names = [...this.#dirty];
    this.#dirty.clear();
    for (const name of names) {
      const room = this.#rooms.get(name);
      const have = this.#link?.rooms.get(name);
      if (!this.#link || have?.room === room) continue;
      if (have) this.#link.send(JSON.stringify({ type: "leave_room", id: this.#nextID(), payload: { name } }));
      this.#link.rooms.delete(name);
      if (room) this.#join(room);
    }
  }

  #join(room) {
    const id = this.#nextID();
    const { last } = room._options;
    this.#link.rooms.set(room.name, { room, joined: false, id });
    const payload = { name: room.name, ...(room._position ? { since: room._position } : { last }) };
    this.#link.send(JSON.stringify({ type: "join_room", id, payload }));
  }

  #notJoined(have, code, message, retryable) {
    if (!retryable) {
      this.#shut(have.room, code, message);
      return;
    }
    const link = this.#link;
    have.tries = (have.tries ?? 0) + 1;
    setTimeout(() => {
      if (link !== this.#link || link.rooms.get(have.room.name) !== have || !have.room._alive) return;
      this.#join(have.room);
      link.rooms.get(have.room.name).tries = have.tries;
    }, this.#pause(have.tries));
  }

  // The server does not want us in a room.
  #shut(room, code, message) {
    this.#link.rooms.delete(room.name);
    const { onLeft } = room._options;
    this.#dropRoom(room, new RoomError("refused", code, message));
    this.#listeners.call(onLeft, { code, message }, room);
  }

  #dropRoom(room, error) {
    if (this.#rooms.get(room.name) === room) this.#rooms.delete(room.name);
    room._end(error);
    for (const entry of this.#queue.filter((e) => e.room === room.name)) {
      entry.left = true; // what is under way still gets its answer
      if (!entry.stored || entry.on !== this.#link || !this.#link) this.#giveUp(entry, error.code, error.message);
    }
  }

  // ---- sending ----

  #nextID() {
    this.#issued += 1;
    return `${this.#prefix}-${this.#issued}`;
  }

  #pause(tries) {
    return Math.random() * Math.min(this.#options.maxBackoff, this.#options.minBackoff * 2 ** tries);
  }

  #enqueue({ type, payload, id = this.#nextID(), room, stored }) {
    const text = JSON.stringify({ type, id, room, payload });
    const bytes = new TextEncoder().encode(text).length;
    const refuse = (code, message) => { throw new RoomError("unsent", code, message); };
    if (this.#state === "ended") refuse(this.#closed ? "closed" : "ended", "the client has ended");
    if (bytes > this.#options.maxMessage) refuse("too_big", `the event has ${bytes} bytes; the server takes ${this.#options.maxMessage}`);
    if (this.#queue.length >= QUEUE_EVENTS || this.#bytes + bytes > QUEUE_BYTES) refuse("queue_full", "too much waits to be sent already");
    if (this.#queue.some((e) => e.id === id)) refuse("same_id", `an event with the id ${id} waits already`);
    return new Promise((resolve, reject) => {
      this.#queue.push({ id, type, room, stored, text, bytes, resolve, reject, on: null, first: null, copies: 0, tries: 0, notBefore: 0, left: false });
      this.#bytes += bytes;
      this.#flush();
    });
  }

  // One event of a room is under way at a time: that alone keeps the order when one has to be sent again.
  #flush() {
    const link = this.#link;
    if (!link) return;
    clearTimeout(this.#flushTimer);
    this.#expire();
    const now = Date.now();
    const busy = new Set();
    let next = Infinity;
    for (const entry of this.#queue) {
      if (entry.stored && busy.has(entry.room)) continue;
      if (entry.stored) busy.add(entry.room);
      if (entry.on === link || (entry.room && !link.rooms.get(entry.room)?.joined)) continue;
      // A clock that was set back must not hold anything up.
      if (entry.notBefore > now && entry.notBefore - now <= this.#options.maxBackoff) next = Math.min(next, entry.notBefore);
      else this.#write(link, entry);
    }
    if (next < Infinity) this.#flushTimer = setTimeout(() => this.#flush(), next - now);
  }

  #write(link, entry) {
    if (!link.send(entry.text)) return;
    entry.on = link;
    entry.copies += 1;
    if (entry.stored) entry.first ??= stamp();
  }

  #answered(entry, code, message, retryable) {
    if (!retryable) {
      // A refusal of a copy says nothing about the ones before it.
      this.#settle(entry.id).reject(new RoomError(entry.stored && entry.copies > 1 ? "unknown" : "refused", code, message));
      this.#flush();
      return;
    }
    if (code === "rate_limited" || code === "busy") {
      entry.copies -= 1; // this copy was not stored
      if (entry.copies === 0) entry.first = null;
    }
    entry.tries += 1;
    if (entry.left || (code === "internal" && entry.tries >= INTERNAL_TRIES)) {
      this.#giveUp(entry, code, message);
    } else {
      entry.on = null;
      entry.notBefore = Date.now() + this.#pause(entry.tries);
    }
    this.#flush();
  }

  #expire() {
    for (const entry of this.#queue.filter((e) => e.first && since(e.first) > RESEND_MS)) {
      this.#giveUp(entry, "no_answer", "the server did not answer while the event could be sent again under its id");
    }
  }

  // Sent again it would close the next connection as well.
  #tooBig() {
    const [largest] = this.#queue.filter((e) => e.on === this.#link).sort((a, b) => b.bytes - a.bytes);
    if (largest) this.#settle(largest.id).reject(new RoomError("refused", "too_big", "the event is longer than the server takes"));
  }

  #giveUp(entry, code, message) {
    this.#settle(entry.id)?.reject(new RoomError(entry.first ? "unknown" : "unsent", code, message));
  }

  // Takes an entry out of the queue; whoever got it tells its sender.
  #settle(id) {
    const index = this.#queue.findIndex((e) => e.id === id);
    if (index < 0) return undefined;
    const [entry] = this.#queue.splice(index, 1);
    this.#bytes -= entry.bytes;
    return entry;
  }
}

// An HTTP answer as an error with its status, and what the server said.
async function refusal(response) {
  const { error = {} } = await response.json().catch(() => ({}));
  const message = error.message ?? `the server answered ${response.status}`;
  const retryAfter = 1000 * (Number(response.headers.get("Retry-After")) || 0);
  return Object.assign(new Error(message), { status: response.status, code: error.code, retryAfter });
}

/** Connects to a server, and stays connected until close(). */
export function connect(options = {}) {
  return new Client(options);
}
