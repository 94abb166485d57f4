// A client of a roomd server that stays connected. README.md says how to use it, index.d.ts what everything is; the
// protocol is rooms/wire/README.md.

const INBOX = "@me"; // one's own inbox, a room that one is always in
const TICK_MS = 1000;
const LATE_MS = 3000; // a tick that comes after this was held up, and proves nothing about the server
const TOKEN_MS = 30_000; // for the token function and the login
const PATIENCE_MS = 10_000; // for welcome, and for the answer to a probe
const WAKE_SILENCE_MS = 5000;
const SETTLED_MS = 10_000; // a connection that lasted this long ends a series of failures
const HIDDEN_FACTOR = 4; // a tab that nobody sees waits this much longer
const MAX_MOVE_MS = 60_000; // the longest wait that the server can ask for
const EXPLAIN_EVERY = 4; // refused handshakes: asking why costs two requests
const RESEND_MS = 110_000; // the server knows an id for 2 minutes
const INTERNAL_TRIES = 4;
const QUEUE_EVENTS = 256;
const QUEUE_BYTES = 1 << 20;
const PAGE = 100;
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

// A moment on two clocks: one may be set, the other stand still in a machine's sleep.
const stamp = () => ({ wall: Date.now(), steady: performance.now() });
const since = (s) => Math.max(Date.now() - s.wall, performance.now() - s.steady);

const escaped = (name) => name.replace(/[=,:]/g, (c) => `=${c.charCodeAt().toString(16).toUpperCase()}`);
const ignore = () => {};

// A promise and what settles it.
function deferred() {
  const d = {};
  d.promise = new Promise((resolve, reject) => Object.assign(d, { resolve, reject }));
  d.promise.catch(ignore);
  return d;
}

const isFinal = (code) => code >= 4500 && code <= 4999;
const leftError = () => new RoomError("unsent", "left", "the room was left");

export class RoomError extends Error {
  constructor(outcome, code, message) {
    super(message || code);
    Object.assign(this, { name: "RoomError", outcome, code });
  }
}

// One WebSocket. It calls the client's _heard and _lost until close().
class Link {
  opened = false;
  welcome = null;
  since = stamp();
  rooms = new Map(); // what we asked this connection to join: name -> {room, joined, id}
  waited = 0; // ms of ticks in time for which something has been due
  #socket;
  #client;
  #heard = stamp();
  #probing = false;

  constructor(WebSocket, url, client) {
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#client = client;
    socket.onopen = () => { this.opened = true; };
    socket.onmessage = (e) => this.#hear(e.data);
    socket.onclose = (e) => this.#ended(e.code, e.reason);
    socket.onerror = ignore; // its close says the same
  }

  send(event) {
    return this.write(JSON.stringify(event));
  }

  write(text) {
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
    if (this.waited > PATIENCE_MS && (this.#probing || !this.welcome)) this.#ended(1006, "no answer");
    else if (late && this.welcome) this.#probe();
    else this.check(1500 * (this.welcome?.heartbeat_s || 25));
  }

  check(silence = WAKE_SILENCE_MS) {
    if (this.welcome && !this.#probing && since(this.#heard) > silence) this.#probe();
  }

  #probe() {
    this.#probing = true;
    this.waited = 0;
    this.send({ type: "heartbeat" });
  }

  #hear(text) {
    this.#heard = stamp();
    this.#probing = false;
    let event;
    try {
      event = JSON.parse(text);
    } catch {
      this.#ended(1007, "what came is no JSON");
    }
    if (event) this.#client._heard(this, event);
  }

  // The socket's own end takes minutes on a dead network.
  #ended(code, reason) {
    this.close(CLOSE_BACK);
    this.#client._lost(this, code, reason);
  }
}

class Listeners {
  #list = [];
  _report;

  constructor(report) {
    this._report = report;
  }

  on(type, fn) {
    if (typeof fn !== "function") throw new TypeError("a listener must be a function");
    const entry = { type, fn };
    this.#list = [...this.#list, entry];
    return () => {
      entry.fn = undefined;
      this.#list = this.#list.filter((other) => other !== entry);
    };
  }

  _silence() {
    for (const entry of this.#list) entry.fn = undefined;
    this.#list = [];
  }

  _emit(event) {
    for (const entry of this.#list) if (entry.type === event.type || entry.type === "*") this._run(entry.fn, event.payload, event);
  }

  // What fn throws or rejects with is reported.
  _run(fn, ...args) {
    try {
      fn?.(...args)?.then?.(undefined, this._report);
    } catch (error) {
      this._report(error);
    }
  }
}

// Who is in a room: all, or of a large room those up to the uid `end`, as the server lists them sorted by uid.
class Members {
  list = new Map();
  count = 0;
  #end = null; // null: everybody is in the list
  #timer = 0;
  #tries = 0;
  #reading = null; // {list, end, news: since the present page was asked for, again: after this one}

  constructor(limit, ask, changed) {
    Object.assign(this, { limit, ask, changed });
  }

  complete() {
    return this.#end === null && this.list.size === this.count;
  }

  reset(list, count) {
    this.stop();
    this.#set(new Map(list.map((user) => [user.uid, user])), list.length < count ? list.at(-1)?.uid ?? "" : null, count);
    this.check(false, 0);
  }

  tell(news) {
    apply(this.list, this.#end, news);
    this.#reading?.news.push(news);
    this.#set(this.list, this.#end, news.count);
    this.check(news.more);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = this.#tries = 0;
    this.#reading = null;
  }

  // Asks for all pages again if it must. The more ask at one moment, the longer they spread.
  check(must, delay = Math.random() * Math.min(60_000, 10 * this.count * 2 ** this.#tries)) {
    if (!must && (this.complete() || (this.#end !== null && this.list.size >= this.limit))) this.#tries = 0;
    else if (this.#reading) this.#reading.again = true;
    else if (!this.#timer && this.limit > 0) this.#timer = setTimeout(() => this.#read(), delay);
  }

  async #read() {
    const reading = this.#reading = { list: new Map(), end: "" };
    this.#timer = 0;
    this.#tries = Math.min(this.#tries + 1, 10);
    do {
      const news = reading.news = [];
      const page = await this.ask(reading.end).catch(ignore);
      if (reading !== this.#reading) return;
      if (!page) return this.stop();
      for (const user of page.list) reading.list.set(user.uid, user);
      reading.end = page.next || null;
      this.count = page.count;
      // May be older or newer than the page; with the next news it is right.
      for (const each of news) {
        apply(reading.list, reading.end, each);
        this.count = each.count;
      }
    } while (reading.end !== null && reading.list.size < this.limit);
    this.#reading = null;
    this.#set(reading.list, reading.end, this.count);
    this.check(reading.again);
  }

  #set(list, end, count) {
    Object.assign(this, { list, count });
    this.#end = end;
    this.changed();
  }
}

function apply(list, end, { joined, left }) {
  for (const user of joined ?? []) if (end === null || user.uid <= end) list.set(user.uid, user);
  for (const { uid } of left ?? []) list.delete(uid);
}

// A table's batch, event by event.
function singly(event) {
  if (event.type !== "batch") return [event];
  const { events } = event.payload;
  return events.map((each, index) => ({ ...event, ...each, index, of: events.length }));
}

// One room, from join() to leave(). Names with _ are between it and the client.
class Room extends Listeners {
  _over = null; // the RoomError with which it ended
  _position = null;
  _options = {};
  _entered = deferred();
  #stateSeq = 0; // of a table: what its state holds already
  #client;
  #members;

  constructor(client, name, options) {
    super(client._report);
    this.#client = client;
    this.name = name;
    this._position = options.since ? { ...options.since } : null;
    const ask = (after) => client.request("get_online_users", { name, after, limit: PAGE }, this);
    this.#members = new Members(name === INBOX ? 0 : options.members ?? PAGE, ask, () => this._call("onMembers", this));
  }

  get joined() {
    return this._entered.promise;
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
    return this.#members.complete();
  }

  send(type, payload, options) {
    return this.#client.send(type, payload, { ...options, room: this });
  }

  signal(payload) {
    return !this._over && this.#client._signal(this.name, payload);
  }

  async history({ before, limit } = {}) {
    const { events, more } = await this.#client.request("get_history", { name: this.name, before, limit }, this);
    return { events: events.flatMap(singly), more };
  }

  loadMembers(limit) {
    this.#members.limit = Math.max(this.#members.limit, limit);
    this.#members.check(false, 0);
  }

  leave() {
    if (!this._over && this.name !== INBOX) this.#client._leave(this);
  }

  _end(error) {
    this._over = error;
    this.#members.stop();
    this._silence();
    this._entered.reject(error);
  }

  _call(name, ...args) {
    if (!this._over) this._run(this._options[name], ...args);
  }

  _joined(payload) {
    const was = this._position;
    const now = { epoch: payload.epoch, seq: payload.seq };
    const same = was?.epoch === now.epoch;
    const missed = was && !(same && payload.recovered);
    if (was && !missed) now.seq = Math.max(now.seq, was.seq); // the replay was seen
    this._position = now;
    this.#stateSeq = payload.state_seq ?? 0;
    this._entered.resolve(payload);
    if (missed) this._call("onRefresh", this);
    this._call("onJoined", payload, this);
    if (!this._over) this.#members.reset(payload.list ?? [], payload.count ?? 0);
  }

  _heard(event) {
    if (this._over) return;
    if (event.type === "presence") {
      this.#members.tell(event.payload);
    } else if (event.type === "signal") {
      this._emit(event);
    } else if (!NOT_LOGGED.has(event.type) && event.seq > this._position.seq) {
      this._position.seq = event.seq;
      for (const each of singly(event)) {
        if (event.seq <= this.#stateSeq) each.replayed = true;
        this._emit(each);
      }
    }
  }
}

class Client extends Listeners {
  #options;
  #url;
  #WebSocket;
  #prefix = crypto.getRandomValues(new Uint32Array(3)).join("");
  state = "connecting";
  #closed = false;
  #over = null; // why it ended
  #rooms = new Map(); // that we want to be in
  #dirty = new Set(); // names of rooms to be joined or left at the end of this turn
  #queue = []; // what waits for its answer
  #bytes = 0;
  #issued = 0;
  #guest;
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
  #ready = deferred();
  // At most one of each: the connection in use, and the one being opened: {abort, link, waited}.
  #link = null;
  #attempt = null;

  constructor(options) {
    super((error) => this.#tell(error));
    this.#options = { minBackoff: 500, maxBackoff: 20_000, maxMessage: 16 << 10, ...options };
    this.#WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (!this.#WebSocket) throw new TypeError("there is no WebSocket here; give one in options.WebSocket");
    const here = globalThis.location?.href;
    if (!options.url && !here) throw new TypeError("give the server's address in options.url: wss://example.com/ws");
    this.#url = new URL(options.url ?? "/ws", here);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#guest = { ...options.guest };
    this.inbox = this.join(INBOX, options.inbox);
    queueMicrotask(() => this.#closed || this.#start()); // when the caller has what we return
  }

  get ready() {
    return this.#ready.promise;
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

  now() {
    const welcome = this.#link?.welcome;
    return welcome?.now === undefined ? Date.now() : welcome.now + since(this.#link.since);
  }

  join(name, options = {}) {
    name = name.normalize("NFC");
    const room = this.#rooms.get(name) ?? new Room(this, name, options);
    if (name === INBOX && options.last) throw new TypeError("the inbox takes no last: use inbox.history()");
    Object.assign(room._options, options);
    if (this.#closed) {
      room._end(this.#over);
      return room;
    }
    this.#rooms.set(name, room);
    if (this.#over) room._entered.reject(this.#over);
    if (name[0] !== "@" || name === INBOX) this.#changed(name);
    else queueMicrotask(() => room._over || this.#shut(room, "forbidden", "the inbox is @me"));
    return room;
  }

  async send(type, payload, { id, room } = {}) {
    return this.#enqueue({ type, payload, id, room, stored: true });
  }

  async request(type, payload, room = this.#rooms.get(payload?.name?.normalize("NFC"))) {
    return this.#enqueue({ type, payload, room, stored: false });
  }

  listRooms(query) {
    return this.request("get_rooms", query);
  }

  connect() {
    if (this.#closed) throw this.#over;
    this.#failures = 0;
    this.#denied = false;
    if (this.#over) {
      this.#over = null;
      this.#ready = deferred();
      for (const room of this.#rooms.values()) room._entered = deferred();
      this.#start();
    } else if (!this.#link && !this.#attempt) this.#open();
    else this.#link?.check();
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    const error = new RoomError("unsent", "closed", "the client was closed");
    for (const room of this.#rooms.values()) room._end(error);
    this.#rooms.clear();
    this._silence();
    this.#end(error);
  }

  #tell(error) {
    const report = this.#options.onError ?? globalThis.reportError ?? console.error;
    try {
      report(error);
    } catch (second) {
      console.error(second, error);
    }
  }

  _signal(room, payload) {
    const here = this.#link?.rooms.get(room)?.joined;
    return Boolean(here) && this.#link.send({ type: "signal", room, payload });
  }

  _leave(room) {
    this.#dropRoom(room, leftError());
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

  #listen() {
    const { window, document } = globalThis;
    if (!window?.addEventListener || !document) return;
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const on = (target, type, fn) => target.addEventListener(type, fn, { signal });
    on(window, "pagehide", (e) => this.#suspend(e.persisted));
    on(window, "pageshow", () => this.#wake());
    on(window, "online", () => this.#wake(0));
    on(document, "resume", () => this.#wake(0));
    on(document, "visibilitychange", () => document.hidden || this.#wake());
  }

  // A page that may be shown again keeps its seat.
  #suspend(mayReturn) {
    this.#suspended = true;
    this.#abandon();
    this.#release(mayReturn ? CLOSE_BACK : CLOSE_GONE);
    this.#trying();
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
    else if (attempt && (attempt.waited += late ? 0 : ms) > TOKEN_MS) {
      this.#failed(new Error(`no ${this.#options.token ? "ticket" : "answer to /login"} came in time`));
    }
    const link = this.#link;
    if (link && since(link.since) > link.renewAfter && !this.#attempt && !this.#retryTimer) this.#open();
  }

  // Opens a connection, beside the present one: that stays in use until the new one is welcomed.
  async #open() {
    this.#abandon();
    const attempt = this.#attempt = { abort: new AbortController(), link: null, waited: 0 };
    this.#trying();
    try {
      const query = await this.#credentials(attempt.abort.signal);
      if (attempt === this.#attempt) this.#dial(attempt, query);
    } catch (error) {
      if (attempt === this.#attempt) this.#failed(error);
    }
  }

  #dial(attempt, query) {
    const url = new URL(this.#url);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const known = [...this.#rooms].filter(([name, room]) => room._position || name === INBOX);
    const items = known.map(([name, { _position: p }]) => `${escaped(name)}:${p?.epoch ?? ""}:${p?.seq ?? 0}`);
    url.searchParams.set("resume", items.join(","));
    attempt.link = new Link(this.#WebSocket, url.href, this);
    for (const [name, room] of known) attempt.link.rooms.set(name, { room, joined: false });
  }

  // Who we are, in a query: a ticket for a JWT, so that it is in no URL.
  async #credentials(signal) {
    let { token } = this.#options;
    if (token === undefined) return this.#guestLogin(signal);
    if (typeof token === "function") token = await token({ signal });
    if (typeof token === "string") token = token.split(".").length === 3 ? { token } : { otp: token };
    if (token?.otp) return { otp: token.otp };
    if (!token?.token) throw new TypeError("the token function returned neither a ticket nor a token");
    return await this.#login(signal, token.token) ?? { token: token.token };
  }

  async #guestLogin(signal) {
    const { token, ...guest } = this.#guest;
    try {
      return await this.#login(signal, token, guest) ?? guest;
    } catch (error) {
      if (error.status !== 401 || !token) throw error;
      this.#guest = guest; // the server's key is another one: become a new guest of that name
      return this.#guestLogin(signal);
    }
  }

  // POST /login beside /ws. undefined: this server has none.
  async #login(signal, bearer, guest) {
    const headers = { "Content-Type": "application/json" };
    if (bearer) headers.Authorization = `Bearer ${bearer}`;
    const response = await fetch(this.#http("login"), { method: "POST", headers, body: JSON.stringify(guest ?? {}), signal });
    if (response.status === 404 || response.status === 405) return undefined;
    if (!response.ok) throw await refusal(response);
    const { otp, token } = await response.json();
    if (guest && token) this.#guest.token = token;
    return { otp };
  }

  #http(path) {
    const url = new URL(path, this.#url);
    url.protocol = url.protocol.replace("ws", "http");
    return url;
  }

  #abandon() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#moveTimer);
    this.#retryTimer = this.#moveTimer = 0;
    const attempt = this.#attempt;
    this.#attempt = null;
    attempt?.abort.abort();
    attempt?.link?.close(CLOSE_BACK);
  }

  // What was under way goes again on the next connection.
  #release(code) {
    clearTimeout(this.#flushTimer);
    const link = this.#link;
    this.#link = null;
    if (code) link?.close(code);
    if (link && since(link.since) > SETTLED_MS) this.#failures = 0;
    for (const entry of [...this.#queue]) if (entry.left) this.#giveUp(entry, leftError());
  }

  _lost(link, code, message) {
    const error = { code, message };
    if (link === this.#attempt?.link) {
      if (link.opened) this.#failed(error);
      else this.#explain();
    } else if (link === this.#link) {
      if (code === TOO_BIG) this.#tooBig();
      this.#release();
      const another = this.#attempt || this.#retryTimer;
      if (another && !(isFinal(code) && code !== TOKEN_ENDED)) this.#trying();
      else this.#failed(error);
    }
  }

  // Why a handshake was refused a WebSocket does not say; the same request without it does.
  async #explain() {
    const attempt = this.#attempt;
    attempt.link = null;
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

  // error.code is that of a close.
  #failed(error) {
    this.#abandon();
    const { status, final } = error;
    const denied = status === 401 || error.code === TOKEN_ENDED;
    const code = denied ? TOKEN_ENDED : final || status === 403 ? FORBIDDEN : error.code;
    if (isFinal(code) && (!denied || this.#denied || typeof this.#options.token === "string")) {
      this.#end(new RoomError("unsent", "ended", error.message || `closed by the server for good: ${code}`), code);
    } else {
      this.#denied ||= denied;
      this.#retry(error, denied && this.#failures === 0);
    }
  }

  // Full jitter.
  #retry(error, atOnce) {
    const { minBackoff, maxBackoff } = this.#options;
    const bound = Math.min(maxBackoff, minBackoff * 2 ** this.#failures) * (globalThis.document?.hidden ? HIDDEN_FACTOR : 1);
    this.#failures = Math.min(this.#failures + 1, 30);
    let delay = atOnce ? 0 : Math.max(error.retryAfter ?? 0, Math.random() * bound);
    if (this.#moveAt > Date.now()) delay = Math.min(MAX_MOVE_MS, this.#moveAt - Date.now());
    this.#moveAt = 0;
    this.#retryTimer = setTimeout(() => this.#open(), delay);
    this.#trying({ delay, bound, error });
  }

  #end(error, code) {
    this.#over = error;
    this.#abandon();
    clearInterval(this.#ticker);
    this.#listening?.abort();
    this.#listening = null;
    this.#release(CLOSE_GONE);
    for (const entry of [...this.#queue]) this.#giveUp(entry, error);
    for (const room of this.#rooms.values()) room._entered.reject(error);
    this.#ready.reject(error);
    this.#say({ state: "ended", code, error });
  }

  #trying(more) {
    if (!this.#link) this.#say({ state: this.#uid === undefined ? "connecting" : "reconnecting", ...more });
  }

  #say(status) {
    this.state = status.state;
    this._run(this.#options.onStatus, status);
  }

  // ---- receiving ----

  _heard(link, event) {
    if (link === this.#attempt?.link) {
      if (event.type === "welcome") this.#welcomed(link, event.payload);
      else this._lost(link, 1002, `${event.type} came before welcome`);
      return;
    }
    if (link !== this.#link) return;
    const payload = event.payload ??= {};
    const name = (event.room ?? payload.room_id ?? "").replace(/^@.*/, INBOX);
    const have = link.rooms.get(name); // we asked this connection for it
    switch (event.type) {
      case "room_joined":
        if (!have || (event.id && event.id !== have.id)) break; // not ours any more
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
        this.#settle(event.id)?.resolve({ id: event.id, seq: event.seq, room: event.room, duplicate: payload.duplicate });
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
    else if (name === "" && event.type !== "heartbeat") this._emit(event);
  }

  #welcomed(link, welcome) {
    const old = this.#link;
    const another = ![undefined, welcome.uid].includes(this.#uid);
    this.#attempt = null;
    this.#link = link;
    old?.close(CLOSE_BACK);
    link.welcome = welcome;
    link.since = stamp();
    // Before the token ends, and not all at one moment.
    const { uid, expires_in: left } = welcome;
    if (typeof this.#options.token !== "string") link.renewAfter = 1000 * (left - Math.min(60, left / 2) * (1 - Math.random() / 2));
    this.#uid = uid;
    this.#denied = false;
    this.#refusals = this.#moveAt = 0;
    if (another) this.#becameAnother();
    this.#ready.resolve(welcome);
    this.#say({ state: "connected", welcome });
    if (link !== this.#link) return;
    for (const name of this.#rooms.keys()) this.#changed(name);
    this.#flush();
  }

  // The server knows ids only under the uid that used them, and another uid has another inbox.
  #becameAnother() {
    this.inbox._position = null;
    for (const entry of [...this.#queue]) {
      if (entry.first) this.#giveUp(entry, { code: "new_uid", message: "we came back as another user" });
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

  // At the end of the turn, so that what cancels out is not sent.
  #changed(name) {
    if (this.#dirty.size === 0) queueMicrotask(() => this.#joinAndLeave());
    this.#dirty.add(name);
  }

  #joinAndLeave() {
    const link = this.#link;
    for (const name of link ? this.#dirty : []) {
      const room = this.#rooms.get(name);
      const have = link.rooms.get(name);
      if (have?.room === room) continue;
      if (have) link.send({ type: "leave_room", id: this.#nextID(), payload: { name } });
      link.rooms.delete(name);
      if (room) this.#join(room);
    }
    this.#dirty.clear();
  }

  #join(room, tries = 1) {
    const { name, _position: since, _options: { last } } = room;
    const id = this.#nextID();
    this.#link.rooms.set(name, { room, joined: false, id, tries });
    this.#link.send({ type: "join_room", id, payload: { name, since: since ?? undefined, last: since ? undefined : last } });
  }

  #notJoined(have, code, message, retryable) {
    const link = this.#link;
    const { room, tries = 1 } = have;
    const again = () => link === this.#link && link.rooms.get(room.name) === have && this.#join(room, tries + 1);
    if (retryable) setTimeout(again, this.#pause(tries));
    else this.#shut(room, code, message);
  }

  #shut(room, code, message) {
    this.#link?.rooms.delete(room.name);
    this.#dropRoom(room, new RoomError("refused", code, message));
    this._run(room._options.onLeft, { code, message }, room);
  }

  #dropRoom(room, error) {
    if (this.#rooms.get(room.name) === room) this.#rooms.delete(room.name);
    room._end(error);
    for (const entry of this.#queue.filter((e) => e.room === room.name)) {
      entry.left = true; // what is under way still gets its answer
      if (!entry.stored || entry.on !== this.#link || !this.#link) this.#giveUp(entry, error);
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

  #enqueue({ type, payload, id = this.#nextID(), room: of, stored }) {
    const room = of?.name;
    const text = JSON.stringify({ type, id, room, payload });
    const bytes = new TextEncoder().encode(text).length;
    const refuse = (code, message) => { throw new RoomError("unsent", code, message); };
    const { code, message } = of?._over ?? this.#over ?? {};
    if (code) refuse(code, message);
    if (bytes > this.#options.maxMessage) refuse("too_big", `the event has ${bytes} bytes; the server takes ${this.#options.maxMessage}`);
    if (this.#queue.length >= QUEUE_EVENTS || this.#bytes + bytes > QUEUE_BYTES) refuse("queue_full", "too much waits to be sent already");
    if (this.#queue.some((e) => e.id === id)) refuse("same_id", `an event with the id ${id} waits already`);
    const { promise, resolve, reject } = deferred();
    this.#queue.push({ id, room, stored, text, bytes, resolve, reject, on: null, first: null, copies: 0, tries: 0, notBefore: 0, left: false });
    this.#bytes += bytes;
    this.#flush();
    return promise;
  }

  // One event of a room is under way at a time: that keeps the order when one goes again.
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
    if (!link.write(entry.text)) return;
    entry.on = link;
    entry.copies += 1;
    if (entry.stored) entry.first ??= stamp();
  }

  #answered(entry, code, message, retryable) {
    if (!retryable) {
      // A copy's refusal says nothing of the ones before it; a table remembers.
      const sure = code === "refused" || !entry.stored || entry.copies < 2;
      this.#settle(entry.id).reject(new RoomError(sure ? "refused" : "unknown", code, message));
      this.#flush();
      return;
    }
    if (code === "rate_limited" || code === "busy") {
      entry.copies -= 1; // this copy was not stored
      if (entry.copies === 0) entry.first = null;
    }
    entry.tries += 1;
    if (entry.left || (code === "internal" && entry.tries >= INTERNAL_TRIES)) {
      this.#giveUp(entry, { code, message });
    } else {
      entry.on = null;
      entry.notBefore = Date.now() + this.#pause(entry.tries);
    }
    this.#flush();
  }

  #expire() {
    for (const entry of this.#queue.filter((e) => e.first && since(e.first) > RESEND_MS)) {
      this.#giveUp(entry, { code: "no_answer", message: "the server did not answer" });
    }
  }

  // Sent again it would close the next connection as well.
  #tooBig() {
    const [largest] = this.#queue.filter((e) => e.on === this.#link).sort((a, b) => b.bytes - a.bytes);
    this.#settle(largest?.id)?.reject(new RoomError("refused", "too_big", "the event is longer than the server takes"));
  }

  #giveUp(entry, { code, message }) {
    this.#settle(entry.id)?.reject(new RoomError(entry.first ? "unknown" : "unsent", code, message));
  }

  #settle(id) {
    const index = this.#queue.findIndex((e) => e.id === id);
    if (index < 0) return undefined;
    const [entry] = this.#queue.splice(index, 1);
    this.#bytes -= entry.bytes;
    return entry;
  }
}

async function refusal(response) {
  const { error = {} } = await response.json().catch(() => ({}));
  const message = error.message ?? `the server answered ${response.status}`;
  const retryAfter = 1000 * (Number(response.headers.get("Retry-After")) || 0);
  return Object.assign(new Error(message), { status: response.status, code: error.code, retryAfter });
}

export function connect(options = {}) {
  return new Client(options);
}
