import assert from "node:assert/strict";
import test from "node:test";
import { client, joined, proxy, rejection, roomd, say, until, watched } from "./harness.js";

test("rooms: join, send, on, history, signal, leave", async (t) => {
  const server = await roomd(t);
  const percy = client(t, { url: server.url, guest: { username: "percy" } });
  const olga = client(t, { url: server.url, guest: { username: "olga" } });
  const mine = await joined(percy, "table-1");
  const hers = await joined(olga, "table-1");
  const only = [];
  hers.on("new_message", (payload, event) => only.push([payload.message, payload.username, event.seq]));
  const ack = await say(mine, "hi");
  assert.ok(ack.seq > 0 && ack.duplicate === false && ack.room === "table-1");
  await until("olga hears it", () => only.length === 1);
  assert.deepEqual(only[0], ["hi", "percy", ack.seq]);
  assert.equal(hers.position.seq, ack.seq);

  const page = await hers.history({ limit: 10 });
  assert.deepEqual(page.events.map((e) => e.payload.message), ["hi"]);
  assert.equal(page.more, false);

  assert.equal(mine.signal({ typing: true }), true);
  const signal = await until("the signal", () => hers.heard.find((e) => e.type === "signal"));
  assert.equal(signal.payload.typing, true);
  assert.equal(signal.payload.uid, percy.welcome.uid);

  hers.leave();
  await until("olga is gone", () => mine.count === 1);
  assert.deepEqual(olga.rooms, []);
});

test("join replays the last events that it asks for", async (t) => {
  const server = await roomd(t);
  const percy = client(t, { url: server.url });
  const mine = await joined(percy, "r");
  for (const text of ["1", "2", "3"]) await say(mine, text);
  const hers = await joined(client(t, { url: server.url }), "r", { last: 2 });
  await until("two", () => hers.heard.length === 2);
  assert.deepEqual(hers.texts(), ["2", "3"]);
});

test("history is read page by page, each oldest first", async (t) => {
  const server = await roomd(t);
  const room = await joined(client(t, { url: server.url }), "r");
  for (const text of ["1", "2", "3"]) await say(room, text);
  const newest = await room.history({ limit: 2 });
  assert.deepEqual([newest.events.map((e) => e.payload.message), newest.more], [["2", "3"], true]);
  const older = await room.history({ before: newest.events[0].seq, limit: 2 });
  assert.deepEqual([older.events.map((e) => e.payload.message), older.more], [["1"], false]);
});

test("an event whose place is not above the position is not told", async (t) => {
  const server = await roomd(t);
  const line = await proxy(t, server.port);
  const room = await joined(client(t, { url: line.url }), "r");
  await say(room, "1");
  const { seq } = await say(room, "2");
  await until("both", () => room.heard.length === 2);
  for (const past of [seq, seq - 1]) line.sayEvent({ type: "new_message", room: "r", seq: past, payload: { message: "again" } });
  await say(room, "3");
  await until("the third", () => room.texts().includes("3"));
  assert.deepEqual(room.texts(), ["1", "2", "3"]);
});

test("a private message reaches the inbox", async (t) => {
  const server = await roomd(t);
  const percy = client(t, { url: server.url });
  const olga = client(t, { url: server.url });
  const heard = [];
  olga.inbox.on("private_message", (payload) => heard.push(payload.message));
  await Promise.all([olga.inbox.joined, percy.ready]);
  const ack = await percy.send("private_message", { to_uid: olga.welcome.uid, message: "psst" });
  assert.ok(ack.seq > 0);
  await until("olga has it", () => heard.length === 1);
  assert.deepEqual(heard, ["psst"]);
});

test("the inbox has no last, and says so; inbox.history() has what is asked for", async (t) => {
  const server = await roomd(t);
  assert.throws(() => client(t, { url: server.url, inbox: { last: 20 } }), { name: "TypeError", message: /inbox\.history/ });
  const c = client(t, { url: server.url });
  assert.throws(() => c.join("@me", { last: 20 }), { name: "TypeError", message: /inbox\.history/ });
  await c.ready;
  await c.send("private_message", { to_uid: c.welcome.uid, message: "note" });
  assert.deepEqual((await c.inbox.history()).events.map((e) => e.payload.message), ["note"]);
  assert.equal(c.join("@me"), c.inbox);
});

test("a name that begins with @ is refused, also one's own uid: only @me is the inbox", async (t) => {
  const server = await roomd(t);
  const c = client(t, { url: server.url });
  await c.ready;
  for (const name of ["@2", "@", `@${c.welcome.uid}`]) {
    const left = [];
    const room = c.join(name, { onLeft: ({ code }, which) => left.push([code, which.name]) });
    const sent = say(room, "x");
    const error = await rejection(room.joined);
    assert.deepEqual([error.outcome, error.code], ["refused", "forbidden"]);
    assert.equal((await rejection(sent)).code, "forbidden");
    assert.deepEqual(left, [["forbidden", name]]);
    c.join(name, { onLeft: () => assert.fail("told after leave()") }).leave();
  }
  assert.deepEqual(c.rooms, []);
  assert.deepEqual(c.told.errors, []);
});

test("a request for a room waits for its join", async (t) => {
  const server = await roomd(t);
  const sent = [];
  const c = client(t, { url: server.url, WebSocket: watched((event) => sent.push(event.type)) });
  await c.ready;
  const name = "caf\u0301e";
  c.join(name);
  const list = await c.request("get_online_users", { name });
  assert.deepEqual(list.list.map(({ uid }) => uid), [c.welcome.uid]);
  assert.ok(sent.indexOf("join_room") < sent.indexOf("get_online_users"), `${sent}`);
  assert.equal((await rejection(c.request("get_online_users", { name: "elsewhere" }))).code, "not_member");
});

test("joins and leaves in one turn that cancel out are none: join, leave, join is one join", async (t) => {
  const server = await roomd(t);
  const sent = [];
  const c = client(t, { url: server.url, WebSocket: watched((event) => sent.push(event)) });
  await c.ready;
  c.join("r").leave();
  const again = c.join("r");
  c.join("never").leave();
  await again.joined;
  await again.history(); // answered after all that was sent before
  assert.deepEqual(sent.filter((e) => /_room$/.test(e.type)).map((e) => [e.type, e.payload.name]), [["join_room", "r"]]);
});

test("a room that was left and joined again hears what comes after, and the old one nothing", async (t) => {
  const server = await roomd(t);
  const percy = client(t, { url: server.url });
  const olga = client(t, { url: server.url });
  const mine = await joined(percy, "r");
  const old = await joined(olga, "r");
  await say(mine, "1");
  await until("one", () => old.heard.length === 1);
  old.leave();
  const fresh = await joined(olga, "r", { last: 1 });
  await say(mine, "2");
  await until("two", () => fresh.heard.length === 2);
  assert.deepEqual(fresh.texts(), ["1", "2"]);
  assert.deepEqual(old.texts(), ["1"]);
  assert.equal((await rejection(say(old, "no"))).outcome, "unsent");
});

test("a room that may not be entered is told, and no other suffers", async (t) => {
  const server = await roomd(t, { args: ["--guest-rooms", "open-*"] });
  const c = client(t, { url: server.url });
  const left = [];
  const shut = c.join("secret", { onLeft: (reason) => left.push(reason.code) });
  const open = await joined(c, "open-1");
  const error = await rejection(shut.joined);
  assert.equal(error.outcome, "refused");
  assert.equal(error.code, "forbidden");
  assert.deepEqual(left, ["forbidden"]);
  assert.deepEqual(c.rooms, [open]);
  await say(open, "here");
  assert.equal(c.state, "connected");
});

test("who is taken out of a room is told once, and hears nothing more of it", async (t) => {
  const server = await roomd(t);
  const line = await proxy(t, server.port);
  const c = client(t, { url: line.url });
  const left = [];
  const room = await joined(c, "r", { onLeft: ({ code }) => left.push(code) });
  const response = await fetch(`${server.http}/api/rooms/r/members/${c.welcome.uid}`, { method: "DELETE" });
  assert.ok(response.ok);
  await until("told", () => left.length === 1);
  await server.post("r", { type: "news", payload: {} });
  line.cut();
  await until("back", () => c.told.statuses.filter((s) => s.state === "connected").length === 2);
  await c.request("get_history", { name: "@me" });
  assert.deepEqual(left, ["removed"]);
  assert.deepEqual(room.heard, []);
  assert.deepEqual(c.rooms, []);
});

test("a position moves before listeners run; one that throws or rejects is reported and stops nothing", async (t) => {
  const server = await roomd(t);
  const line = await proxy(t, server.port);
  const c = client(t, { url: line.url });
  const room = c.join("r");
  const seen = [];
  room.on("new_message", (_, event) => {
    seen.push([room.position.seq, event.seq]);
    throw new Error("thrown");
  });
  room.on("new_message", async () => { throw new Error("rejected"); });
  const last = [];
  room.on("new_message", (payload) => last.push(payload.message));
  await say(room, "1");
  await until("the first", () => last.length === 1);
  line.cut();
  await say(room, "2");
  await until("the second", () => last.length === 2);
  assert.deepEqual(last, ["1", "2"]); // not told twice because a listener failed
  for (const [position, seq] of seen) assert.equal(position, seq);
  assert.deepEqual(c.told.errors.map((e) => e.message).sort(), ["rejected", "rejected", "thrown", "thrown"]);
});

test("without onError a listener's failure goes to the console, where there is no reportError", async (t) => {
  const server = await roomd(t);
  const real = console.error;
  const said = [];
  console.error = (error) => said.push(error);
  t.after(() => { console.error = real; });
  const c = client(t, { url: server.url });
  const silent = (await import(process.env.CLIENT ?? "../client.js")).connect({ url: server.url });
  t.after(() => silent.close());
  const room = silent.join("r");
  room.on("new_message", () => { throw new Error("thrown"); });
  await room.joined;
  await say(await joined(c, "r"), "x");
  await until("reported", () => said.length === 1);
  assert.equal(said[0].message, "thrown");
});

test("after leave() nothing is delivered, not even to the next listener of the same event", async (t) => {
  const server = await roomd(t);
  const c = client(t, { url: server.url });
  const room = await joined(c, "r");
  const after = [];
  room.on("new_message", () => room.leave());
  room.on("new_message", (payload) => after.push(payload.message));
  await say(room, "1");
  await until("left", () => c.rooms.length === 0);
  await server.post("r", { type: "new_message", payload: { message: "2" } });
  await c.request("get_history", { name: "@me" });
  assert.deepEqual(after, []);
});

test("after close() nothing is delivered", async (t) => {
  const server = await roomd(t);
  const c = client(t, { url: server.url });
  const room = await joined(c, "r", { onMembers: () => c.state === "ended" && assert.fail("told after close()") });
  const other = await joined(client(t, { url: server.url }), "r");
  room.on("new_message", () => c.close());
  room.on("new_message", () => assert.fail("told after close()"));
  await say(other, "1");
  await until("closed", () => c.state === "ended");
  await say(other, "2");
  await until("gone", () => other.count === 1);
  assert.deepEqual(room.texts(), ["1"]);
  assert.deepEqual(c.told.errors, []);
});

test("after close() nothing throws: join gives a room that is over, and every promise rejects as closed", async (t) => {
  const server = await roomd(t);
  const c = client(t, { url: server.url });
  const before = await joined(c, "r");
  c.close();
  const after = c.join("late", { onJoined: () => assert.fail("let in"), onLeft: () => assert.fail("told after close()") });
  after.on("*", () => assert.fail("told after close()"));
  for (const room of [before, after]) {
    for (const promise of [room.send("send_message", { message: "x" }), room.history()]) {
      const error = await rejection(promise);
      assert.deepEqual([error.name, error.outcome, error.code], ["RoomError", "unsent", "closed"]);
    }
    assert.equal(room.signal({}), false);
    room.leave();
  }
  for (const promise of [after.joined, c.listRooms(), c.request("get_rooms"), c.send("private_message", { to_uid: "x", message: "x" })]) {
    assert.equal((await rejection(promise)).code, "closed");
  }
  assert.deepEqual(c.rooms, []);
  assert.throws(() => c.connect(), { name: "RoomError", code: "closed" });
});

test("a lobby: listRooms tells which rooms there are, page by page", async (t) => {
  const server = await roomd(t);
  const c = client(t, { url: server.url });
  const table = await joined(c, "table-1");
  await say(table, "hi");
  const [said] = (await table.history()).events;
  await joined(c, "table-2");
  await joined(c, "other");
  const label = { title: "Baccarat" };
  const response = await fetch(`${server.http}/api/rooms/table-3/label`, {
    method: "PUT", body: JSON.stringify(label), headers: { "Content-Type": "application/json" },
  });
  assert.ok(response.ok, `${response.status}`);
  // A list is up to 2 s old.
  const all = await until("all are listed", async () => {
    const page = await c.listRooms({ prefix: "table-" });
    return page.list.length === 3 && page.list[0].label && page.list[1].at && page;
  });
  assert.equal(all.next, "");
  assert.equal(all.list[1].at, said.at);
  assert.deepEqual(all.list.map(({ name, count }) => [name, count]), [["table-3", 0], ["table-1", 1], ["table-2", 1]]);
  assert.deepEqual(all.list[0].label, label);
  const page = await c.listRooms({ prefix: "table-", limit: 1 });
  assert.deepEqual([page.list.length, page.next], [1, "@table-3"]);
  const rest = await c.listRooms({ prefix: "table-", after: page.next });
  assert.deepEqual(rest.list.map(({ name }) => name), ["table-1", "table-2"]);
  assert.ok((await c.listRooms()).list.some(({ name }) => name === "other"));
});
