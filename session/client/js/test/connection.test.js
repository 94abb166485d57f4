import assert from "node:assert/strict";
import test from "node:test";
import { KEY, client, clock, connect, joined, jwt, pause, proxy, rejection, roomd, say, until, watched } from "./harness.js";

const connections = (c) => c.told.statuses.filter((s) => s.state === "connected").length;
const ends = (c) => c.told.statuses.filter((s) => s.state === "ended");

// A ticket for a JWT, as a site's own backend would get it.
async function ticket(server, token) {
  const response = await fetch(`${server.http}/login`, { method: "POST", headers: { Authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Error(`login: ${response.status}`);
  return response.json();
}

test("killed and started again: nothing is missed and nothing comes twice", async (t) => {
  const server = await roomd(t);
  const percy = client(t, { url: server.url });
  const olga = client(t, { url: server.url });
  const mine = await joined(percy, "r");
  const hers = await joined(olga, "r", { onRefresh: () => assert.fail("there was nothing to refresh") });
  await say(mine, "1");
  await until("the first", () => hers.heard.length === 1);
  await server.kill();
  const sent = ["2", "3", "4"].map((text) => say(mine, text)); // while there is no server
  await server.start();
  await Promise.all(sent);
  await until("all", () => hers.heard.length === 4 && mine.heard.length === 4);
  assert.deepEqual(hers.texts(), ["1", "2", "3", "4"]);
  assert.deepEqual(mine.texts(), ["1", "2", "3", "4"]);
});

test("what was said while the line was cut is replayed, in every room and the inbox", async (t) => {
  const server = await roomd(t);
  const line = await proxy(t, server.port);
  const olga = client(t, { url: line.url });
  const names = ["a", "b:c", "d=e", "百家樂"];
  const hers = await Promise.all(names.map((name) => joined(olga, name)));
  const letters = [];
  olga.inbox.on("private_message", (payload) => letters.push(payload.message));
  const { uid } = olga.welcome;
  line.state.refuse = true;
  line.cut();
  await until("lost", () => olga.state === "reconnecting");
  const percy = client(t, { url: server.url });
  await Promise.all(names.map(async (name) => say(await joined(percy, name), `in ${name}`)));
  await percy.send("private_message", { to_uid: uid, message: "psst" });
  line.state.refuse = false;
  await until("all is there", () => letters.length === 1 && hers.every((room) => room.heard.length === 1));
  for (const room of hers) assert.deepEqual(room.texts(), [`in ${room.name}`]);
});

test("drained: it goes when the server asks, and comes back to a new one with all of it", async (t) => {
  const server = await roomd(t);
  const percy = client(t, { url: server.url });
  const mine = await joined(percy, "r");
  await say(mine, "1");
  await server.drain();
  const sent = say(mine, "2");
  await server.start();
  await sent;
  await until("both", () => mine.heard.length === 2);
  assert.deepEqual(mine.texts(), ["1", "2"]);
});

test("slowed: what goes through a slow line is whole and in order", async (t) => {
  const server = await roomd(t);
  const line = await proxy(t, server.port);
  line.state.delay = 30;
  const percy = client(t, { url: line.url });
  const mine = await joined(percy, "r");
  const texts = Array.from({ length: 30 }, (_, i) => `text ${i}`);
  const acks = await Promise.all(texts.map((text) => say(mine, text)));
  await until("all", () => mine.heard.length === texts.length);
  assert.deepEqual(mine.texts(), texts);
  assert.deepEqual(acks.map((ack) => ack.seq), mine.heard.map((event) => event.seq));
  assert.equal(connections(percy), 1);
});

test("on reconnect it opens the new connection before it closes the old one, and nobody sees it leave", async (t) => {
  const server = await roomd(t, { args: ["--presence-interval", "20ms"] });
  const line = await proxy(t, server.port);
  const c = client(t, { url: line.url });
  const room = await joined(c, "r");
  const counts = [];
  const watcher = await joined(client(t, { url: server.url }), "r", { onMembers: (r) => counts.push(r.count) });
  await until("both are there", () => watcher.count === 2);
  counts.length = 0;
  const first = c.welcome.client_id;
  line.state.most = 0;
  line.sayEvent({ type: "reconnect", payload: { after_ms: 50 } });
  await until("the second connection", () => connections(c) === 2);
  assert.notEqual(c.welcome.client_id, first);
  assert.equal(line.state.most, 2, "connections at one time");
  await until("the old one is closed", () => line.sockets().length === 1);
  assert.ok(!c.told.statuses.some((s) => s.state === "reconnecting"), "it was connected all the time");
  await say(watcher, "still here?");
  await until("heard", () => room.heard.length === 1);
  await joined(client(t, { url: server.url }), "r"); // whoever has left would be told at the latest with this one
  await until("three", () => watcher.count === 3);
  assert.ok(counts.every((count) => count >= 2), `somebody was seen to leave: ${counts}`);
});

test("on reconnect it waits as long as the server asks, also when that closes at once", async (t) => {
  const server = await roomd(t);
  const line = await proxy(t, server.port);
  const c = client(t, { url: line.url });
  await c.ready;
  for (const closes of [false, true]) {
    const before = connections(c);
    const asked = performance.now();
    line.sayEvent({ type: "reconnect", payload: { after_ms: 400 } });
    if (closes) line.sayClose(4000);
    await until("another connection", () => connections(c) > before);
    const waited = performance.now() - asked;
    assert.ok(waited > 390, `it waited ${waited} ms`); // timers may come a moment early
  }
});

test("what the old connection told while the new one was opened, the new one does not tell again", async (t) => {
  const server = await roomd(t);
  const line = await proxy(t, server.port);
  const c = client(t, { url: line.url });
  const room = await joined(c, "r");
  const other = await joined(client(t, { url: server.url }), "r");
  line.state.holdNew = true;
  line.sayEvent({ type: "reconnect", payload: { after_ms: 0 } });
  await until("a handshake that says how far it is", () => line.state.opened === 2);
  for (const text of ["1", "2"]) await say(other, text);
  await until("told by the old one", () => room.heard.length === 2);
  assert.equal(connections(c), 1);
  line.state.holdNew = false;
  await until("the new one", () => connections(c) === 2);
  await say(room, "3");
  await until("the third", () => room.texts().includes("3"));
  assert.deepEqual(room.texts(), ["1", "2", "3"]);
});

test("the token function is asked before every handshake, and a token is in no address", async (t) => {
  const server = await roomd(t, { key: KEY });
  const line = await proxy(t, server.port);
  let asked = 0;
  const c = client(t, { url: line.url, token: () => { asked += 1; return jwt("alice", 3600); } });
  await c.ready;
  assert.equal(asked, 1);
  assert.equal(c.welcome.uid, "alice");
  for (const n of [2, 3]) {
    line.cut();
    await until(`connection ${n}`, () => connections(c) === n);
    assert.equal(asked, n);
  }
  assert.equal(line.state.requests.length, 3);
  for (const request of line.state.requests) {
    assert.match(request, /[?&]otp=/);
    assert.doesNotMatch(request, /token=|eyJ/);
  }
});

test("a token function may give a ticket, or the answer of POST /login", async (t) => {
  const server = await roomd(t, { key: KEY });
  const one = client(t, { url: server.url, token: async () => (await ticket(server, jwt("alice", 60))).otp });
  const other = client(t, { url: server.url, token: () => ticket(server, jwt("bob", 60)) });
  assert.equal((await one.ready).uid, "alice");
  assert.equal((await other.ready).uid, "bob");
});

test("a token function that fails is asked again", async (t) => {
  const server = await roomd(t, { key: KEY });
  let asked = 0;
  const c = client(t, { url: server.url, token: () => {
    asked += 1;
    if (asked < 3) throw new Error("the backend is away");
    return jwt("alice", 60);
  } });
  await c.ready;
  assert.equal(asked, 3);
});

test("a token function that says that it is final ends the client", async (t) => {
  const server = await roomd(t, { key: KEY });
  let asked = 0;
  const c = client(t, { url: server.url, token: () => {
    asked += 1;
    throw Object.assign(new Error("logged out"), { final: true });
  } });
  assert.match((await rejection(c.ready)).message, /logged out/);
  assert.equal(asked, 1);
  assert.equal(ends(c)[0].code, 4501);
});

test("a guest whose token is of another server is a new guest of that name", async (t) => {
  const [here, there] = await Promise.all([roomd(t), roomd(t)]);
  const before = client(t, { url: there.url, guest: { username: "percy" } });
  const { uid } = await before.ready;
  const c = client(t, { url: here.url, guest: { username: "percy", token: before.guestToken } });
  const welcome = await c.ready;
  assert.equal(welcome.username, "percy");
  assert.notEqual(welcome.uid, uid);
  assert.notEqual(c.guestToken, before.guestToken);
});

test("a guest stays the same guest over reconnects", async (t) => {
  const server = await roomd(t);
  const line = await proxy(t, server.port);
  const c = client(t, { url: line.url, guest: { username: "percy", avatar_id: "7" } });
  const { uid, username } = await c.ready;
  assert.equal(username, "percy");
  line.cut();
  await until("back", () => connections(c) === 2);
  assert.equal(c.welcome.uid, uid);
  const same = client(t, { url: server.url, guest: { username: "percy", token: c.guestToken } });
  assert.equal((await same.ready).uid, uid);
});

test("before a token ends it connects with a fresh one, beside the old connection", async (t) => {
  const server = await roomd(t, { key: KEY });
  const line = await proxy(t, server.port);
  let asked = 0;
  const c = client(t, { url: line.url, token: () => { asked += 1; return jwt("alice", asked === 1 ? 6 : 3600); } });
  const room = await joined(c, "r", { onRefresh: () => assert.fail("nothing was missed") });
  line.state.most = 0;
  await until("the second connection", () => connections(c) === 2);
  assert.equal(asked, 2);
  assert.equal(line.state.most, 2, "connections at one time");
  assert.ok(!c.told.statuses.some((s) => s.state === "reconnecting"), "it was connected all the time");
  await say(room, "on the new one");
  await until("heard", () => room.heard.length === 1);
});

test("4500 ends a client with a fixed token", async (t) => {
  const server = await roomd(t, { key: KEY });
  const c = client(t, { url: server.url, token: jwt("alice", 2) });
  await c.ready;
  await until("the end", () => c.state === "ended");
  assert.equal(ends(c)[0].code, 4500);
  assert.equal(connections(c), 1);
  assert.equal((await rejection(c.send("private_message", { to_uid: "bob", message: "x" }))).outcome, "unsent");
});

test("4500 with a token function asks once and resumes", async (t) => {
  const server = await roomd(t, { key: KEY });
  const line = await proxy(t, server.port);
  let asked = 0;
  const token = () => { asked += 1; return jwt("alice", 3600); };
  const c = client(t, { url: line.url, token, minBackoff: 3_600_000, maxBackoff: 3_600_000 }); // it does not wait
  const room = await joined(c, "r", { onRefresh: () => assert.fail("nothing was missed") });
  const bob = await joined(client(t, { url: server.url, token: jwt("bob", 3600) }), "r");
  line.sayClose(4500);
  await say(bob, "meanwhile");
  await until("back", () => connections(c) === 2);
  await until("heard", () => room.heard.length === 1);
  assert.equal(asked, 2);
});

test("a token function whose tokens are not taken is asked once more, and that is the end", async (t) => {
  const server = await roomd(t, { key: KEY });
  let asked = 0;
  const c = client(t, { url: server.url, token: () => { asked += 1; return jwt("alice", -60); } });
  const error = await rejection(c.ready);
  assert.equal(error.code, "ended");
  assert.equal(asked, 2);
  assert.equal(ends(c)[0].code, 4500);
});

test("a guest where guests are not let in ends with what the server says", async (t) => {
  const server = await roomd(t, { key: KEY });
  const c = client(t, { url: server.url, guest: { username: "percy" } });
  const error = await rejection(c.ready);
  assert.match(error.message, /guest|token|log in/i);
});

test("when the client ends, joined rejects as ready and send do; after connect() all are of the new connection", async (t) => {
  const server = await roomd(t, { key: KEY });
  let seconds = -60;
  const c = client(t, { url: server.url, token: () => jwt("alice", seconds) });
  const room = c.join("r", { onLeft: () => assert.fail("told that it was left") });
  const outcome = async (promise) => { const { name, outcome, code } = await rejection(promise); return [name, outcome, code]; };
  for (const promise of [c.ready, room.joined, c.inbox.joined, c.join("later").joined, say(room, "x")]) {
    assert.deepEqual(await outcome(promise), ["RoomError", "unsent", "ended"]);
  }
  assert.equal(ends(c)[0].code, 4500);
  seconds = 3600;
  c.connect();
  await Promise.all([c.ready, room.joined, c.inbox.joined, c.join("later").joined]);
  assert.equal(c.join("r"), room);
  await say(room, "again");
});

test("a guest whose login is not answered is told that, and not of a token", async (t) => {
  const server = await roomd(t);
  server.signal("SIGSTOP");
  const time = clock(t);
  const faster = setInterval(() => time.forward(100), 100);
  t.after(() => clearInterval(faster));
  const c = client(t, { url: server.url });
  const { error } = await until("given up", () => c.told.statuses.find((s) => s.error));
  assert.match(error.message, /^no answer to \/login/);
  server.signal("SIGCONT");
  await c.ready;
});

test("closed for good by the server: it does not come back by itself, connect() does", async (t) => {
  const server = await roomd(t);
  const c = client(t, { url: server.url });
  const room = await joined(c, "r");
  const response = await fetch(`${server.http}/api/users/${c.welcome.uid}/sessions?for=1ms`, { method: "DELETE" });
  assert.ok(response.ok, `${response.status}`);
  await until("the end", () => c.state === "ended");
  assert.equal(ends(c)[0].code, 4503);
  c.connect();
  await until("back", () => c.state === "connected");
  await say(room, "again");
});

test("the backoff has full jitter: anywhere below a bound that doubles up to the longest", async (t) => {
  const server = await roomd(t);
  const c = client(t, { url: server.url, minBackoff: 8, maxBackoff: 64 });
  await c.ready;
  await server.kill();
  const waits = () => c.told.statuses.filter((s) => s.delay !== undefined);
  await until("ten tries", () => waits().length >= 10);
  assert.deepEqual(waits().slice(0, 6).map((s) => s.bound), [8, 16, 32, 64, 64, 64]);
  for (const { delay, bound } of waits()) assert.ok(delay >= 0 && delay <= bound);
  assert.ok(new Set(waits().map((s) => s.delay)).size > 8, "the waits are drawn, each anew");
});

test("a connection that lasted ends a series of failures, as connect() does; one that did not, does not", async (t) => {
  const server = await roomd(t);
  const line = await proxy(t, server.port);
  const c = client(t, { url: line.url, minBackoff: 8, maxBackoff: 64 });
  const time = clock(t);
  await c.ready;
  // The bound of the first wait after the line is cut.
  const cut = async () => {
    c.told.statuses.length = 0;
    line.state.refuse = true;
    line.cut();
    return (await until("a wait", () => c.told.statuses.find((s) => s.bound))).bound;
  };
  const back = async () => {
    line.state.refuse = false;
    await until("back", () => c.state === "connected");
  };
  assert.equal(await cut(), 8);
  await until("the longest wait", () => c.told.statuses.some((s) => s.bound === 64));
  await back();
  assert.equal(await cut(), 64);
  await back();
  time.forward(11_000);
  assert.equal(await cut(), 8);
  await until("the longest wait", () => c.told.statuses.some((s) => s.bound === 64));
  c.told.statuses.length = 0;
  c.connect();
  assert.equal((await until("a wait", () => c.told.statuses.find((s) => s.bound))).bound, 8);
});

test("what the server says of when to try again is kept to", async (t) => {
  const server = await roomd(t, { args: ["--max-connections", "1"] });
  const first = client(t, { url: server.url });
  await first.ready;
  const c = client(t, { url: server.url });
  const told = await until("refused", () => c.told.statuses.find((s) => s.delay !== undefined));
  assert.ok(told.delay >= 1000, `it waits ${told.delay} ms: ${told.error.message}`);
  first.close();
  await c.ready;
});

test("a tab that nobody sees waits longer", async (t) => {
  const server = await roomd(t);
  const c = client(t, { url: server.url, minBackoff: 8, maxBackoff: 64 });
  await c.ready;
  globalThis.document = { hidden: true };
  t.after(() => { delete globalThis.document; });
  await server.kill();
  const waits = () => c.told.statuses.filter((s) => s.delay !== undefined);
  await until("six tries", () => waits().length >= 6);
  assert.deepEqual(waits().slice(0, 6).map((s) => s.bound), [32, 64, 128, 256, 256, 256]);
});

test("a server that is silent is left for another connection", async (t) => {
  const server = await roomd(t, { args: ["--ping", "1s"] });
  const line = await proxy(t, server.port);
  const c = client(t, { url: line.url });
  const room = await joined(c, "r");
  assert.equal(c.welcome.heartbeat_s, 1);
  server.signal("SIGSTOP");
  await until("given up", () => c.state === "reconnecting");
  server.signal("SIGCONT");
  await until("back", () => c.state === "connected");
  await say(room, "again");
});

test("a timer that comes late probes, and ends nothing by itself", async (t) => {
  const server = await roomd(t, { args: ["--ping", "1s"] });
  const sent = [];
  const c = client(t, { url: server.url, WebSocket: watched((event) => sent.push(event.type)) });
  await joined(c, "r");
  const time = clock(t);
  const before = sent.length;
  for (const hours of [1, 10]) {
    time.forward(hours * 3_600_000); // the machine slept: silent for hours, by the clock
    const asked = sent.length;
    await until("a probe", () => sent.length > asked);
  }
  assert.deepEqual([...new Set(sent.slice(before))], ["heartbeat"]);
  // Each tick late, and no answer: still nothing is concluded.
  server.signal("SIGSTOP");
  for (let i = 0; i < 4; i += 1) {
    time.forward(60_000);
    const asked = sent.length;
    await until("another probe", () => sent.length > asked);
    assert.equal(c.state, "connected");
  }
  server.signal("SIGCONT");
  await c.request("get_history", { name: "@me" });
  assert.equal(connections(c), 1);
});

test("close() wins: while a token is asked for, in the handshake, while it waits, and while it moves", async (t) => {
  const server = await roomd(t, { key: KEY });
  const line = await proxy(t, server.port);
  let give;
  let signal;
  const asking = connect({ url: line.url, token: (context) => new Promise((resolve) => { ({ signal } = context); give = resolve; }) });
  await until("asked", () => give);
  asking.close();
  assert.ok(signal.aborted);
  give({ otp: "late" });

  const shaking = connect({ url: line.url, token: () => jwt("alice", 60) });
  const opened = line.state.opened;
  await until("a handshake", () => line.state.opened > opened);
  shaking.close();

  const moving = client(t, { url: line.url, token: () => jwt("alice", 60) });
  await moving.ready;
  line.sayEvent({ type: "reconnect", payload: { after_ms: 5 } });
  moving.close();

  const waiting = client(t, { url: line.url, token: () => jwt("alice", 60) });
  await waiting.ready;
  line.state.refuse = true;
  line.cut();
  await until("it waits", () => waiting.told.statuses.some((s) => s.delay !== undefined));
  waiting.close();
  line.state.refuse = false;

  const never = connect({ url: line.url, token: () => assert.fail("asked after close()") });
  never.close();

  await pause(500); // longer than any wait of theirs
  assert.equal(line.state.opened, 3, "the handshakes of those that were to have one");
  assert.ok(!line.state.requests.some((request) => request.includes("late")));
  assert.equal(line.sockets().length, 0);
  for (const c of [asking, shaking, moving, waiting, never]) assert.equal(c.state, "ended");
  for (const c of [moving, waiting]) assert.equal(c.told.statuses.at(-1).state, "ended");
});

test("where the log no longer reaches, onRefresh is told once, and the position is the server's", async (t) => {
  const server = await roomd(t, { args: ["--history", "5"] });
  const line = await proxy(t, server.port);
  const refreshed = [];
  const c = client(t, { url: line.url });
  const room = await joined(c, "r", { onRefresh: (r) => refreshed.push(r.position.seq) });
  const other = await joined(client(t, { url: server.url }), "r");
  await say(other, "seen");
  await until("seen", () => room.heard.length === 1);
  line.state.refuse = true;
  line.cut();
  await until("lost", () => c.state === "reconnecting");
  let last;
  for (let i = 0; i < 20; i += 1) last = await say(other, `missed ${i}`);
  await server.kill(); // whose memory reached further back than its log does
  await server.start();
  line.state.refuse = false;
  await until("refreshed", () => refreshed.length === 1);
  assert.deepEqual(refreshed, [last.seq]);
  const page = await room.history();
  assert.equal(page.events.at(-1).payload.message, "missed 19");
  await say(other, "live");
  await until("live", () => room.heard.length === 2);
  assert.deepEqual(room.texts(), ["seen", "live"]);
  assert.equal(refreshed.length, 1);
});

test("now() is the server's clock", async (t) => {
  const server = await roomd(t);
  const c = client(t, { url: server.url });
  await c.ready;
  assert.ok(Math.abs(c.now() - Date.now()) < 5000);
  const time = clock(t);
  const before = c.now();
  time.forward(-3_600_000); // this machine's clock was wrong, and is set
  assert.ok(Math.abs(c.now() - before) < 5000);
});
