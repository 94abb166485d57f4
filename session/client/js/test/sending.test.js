import assert from "node:assert/strict";
import test from "node:test";
import { KEY, client, clock, joined, jwt, pause, proxy, rejection, roomd, say, until, watched } from "./harness.js";

const stored = async (room) => (await room.history({ limit: 100 })).events.map((event) => event.payload.message);

test("send resolves with the sequence under which the event is stored", async (t) => {
  const server = await roomd(t);
  const room = await joined(client(t, { url: server.url }), "r");
  const first = await say(room, "1");
  const second = await room.send("send_message", { message: "2" }, { id: "mine" });
  assert.ok(second.seq > first.seq);
  assert.equal(second.id, "mine");
  const again = await room.send("send_message", { message: "2" }, { id: "mine" });
  assert.deepEqual([again.seq, again.duplicate], [second.seq, true]);
});

test("what the server does not want rejects as refused, with its code", async (t) => {
  const server = await roomd(t);
  const room = await joined(client(t, { url: server.url }), "r");
  const error = await rejection(room.send("nonsense", {}));
  assert.deepEqual([error.outcome, error.code], ["refused", "unknown_type"]);
  assert.match(error.message, /nonsense/);
  assert.equal((await rejection(room.send("send_message", {}))).code, "bad_payload");
  await say(room, "and it goes on");
});

test("an event that was never written does not age", async (t) => {
  const server = await roomd(t);
  const c = client(t, { url: server.url });
  const room = await joined(c, "r");
  await server.kill();
  await until("lost", () => c.state === "reconnecting");
  const time = clock(t);
  const answer = say(room, "waited");
  time.forward(3_600_000);
  await server.start();
  assert.ok((await answer).seq > 0);
  assert.deepEqual(await stored(room), ["waited"]);
});

test("a written event whose answer is lost is sent again under its id, and stored once", async (t) => {
  const server = await roomd(t);
  const line = await proxy(t, server.port);
  const other = await joined(client(t, { url: server.url }), "r");
  const room = await joined(client(t, { url: line.url }), "r");
  line.state.hold = true;
  const answer = say(room, "once");
  await until("stored", () => other.heard.length === 1);
  line.cut(); // with the answer
  line.state.hold = false;
  const ack = await answer;
  assert.deepEqual([ack.duplicate, ack.seq], [true, other.heard[0].seq]);
  assert.deepEqual(await stored(other), ["once"]);
  await until("its own copy", () => room.heard.length === 1);
});

test("up to 110 s after it was first written: then it rejects as unknown", async (t) => {
  const server = await roomd(t);
  const line = await proxy(t, server.port);
  const c = client(t, { url: line.url });
  const room = await joined(c, "r");
  const other = await joined(client(t, { url: server.url }), "r");
  const time = clock(t);
  for (const [text, ms] of [["early", 80_000], ["late", 111_000]]) {
    line.state.hold = true;
    const written = Date.now();
    const answer = say(room, text);
    answer.catch(() => {});
    await until(`${text} is stored`, () => other.texts().includes(text));
    line.state.refuse = true;
    line.cut();
    await until("lost", () => c.state === "reconnecting");
    time.forward(ms);
    if (text === "late") {
      const error = await rejection(answer);
      assert.deepEqual([error.outcome, error.code], ["unknown", "no_answer"]);
      assert.ok(Date.now() - written < 120_000, "the server knew the id until then");
    }
    Object.assign(line.state, { hold: false, refuse: false });
    if (text === "early") assert.equal((await answer).duplicate, true);
    await until("back", () => c.state === "connected");
  }
  await say(room, "after");
  assert.deepEqual(await stored(other), ["early", "late", "after"]);
});

test("under another uid what was written is unknown, and what was not goes out", async (t) => {
  const server = await roomd(t, { key: KEY });
  const line = await proxy(t, server.port);
  let sub = "alice";
  const c = client(t, { url: line.url, token: () => jwt(sub, 3600) });
  const room = await joined(c, "r");
  const other = await joined(client(t, { url: server.url, token: jwt("bob", 3600) }), "r");
  line.state.hold = true;
  const written = say(room, "as alice");
  const waiting = say(room, "as whoever I am");
  await until("stored", () => other.heard.length === 1);
  sub = "carol";
  line.cut(); // with the answer
  line.state.hold = false;
  const error = await rejection(written);
  assert.deepEqual([error.outcome, error.code], ["unknown", "new_uid"]);
  await waiting;
  await until("both", () => other.heard.length === 2);
  assert.deepEqual(other.heard.map((e) => [e.payload.message, e.payload.uid]), [["as alice", "alice"], ["as whoever I am", "carol"]]);
});

test("the queue holds 256 events; one more rejects, and none is dropped", async (t) => {
  const server = await roomd(t, { args: ["--rate", "0"] });
  const c = client(t, { url: server.url });
  const room = await joined(c, "r");
  await server.kill();
  await until("lost", () => c.state === "reconnecting");
  const texts = Array.from({ length: 256 }, (_, i) => `text ${i}`);
  const answers = texts.map((text) => say(room, text));
  const error = await rejection(say(room, "one more"));
  assert.deepEqual([error.outcome, error.code], ["unsent", "queue_full"]);
  assert.equal(c.pending, 256);
  await server.start();
  await Promise.all(answers);
  await until("all", () => room.heard.length === 256);
  assert.deepEqual(room.texts(), texts);
  assert.equal(c.pending, 0);
});

test("the queue holds 1 MiB", async (t) => {
  const server = await roomd(t);
  const c = client(t, { url: server.url });
  const room = await joined(c, "r");
  await server.kill();
  await until("lost", () => c.state === "reconnecting");
  const big = "x".repeat(16_000);
  const answers = Array.from({ length: 65 }, () => say(room, big));
  for (const answer of answers) answer.catch(() => {});
  const error = await rejection(say(room, big));
  assert.deepEqual([error.outcome, error.code], ["unsent", "queue_full"]);
  say(room, "small").catch(() => {}); // there is room for this one
  assert.equal(c.pending, 66);
  c.close();
  for (const answer of answers) assert.equal((await rejection(answer)).outcome, "unsent");
});

test("an event that is too long rejects; one that only the server finds too long is refused, and the rest goes on", async (t) => {
  const server = await roomd(t, { args: ["--max-message", "4KiB"] });
  const c = client(t, { url: server.url });
  const room = await joined(c, "r");
  const here = await rejection(say(room, "x".repeat(17_000)));
  assert.deepEqual([here.outcome, here.code], ["unsent", "too_big"]);
  const other = await joined(c, "other");
  const there = say(room, "x".repeat(6000));
  const small = say(other, "small"); // under way when the server closes, as the large one is
  const after = say(room, "after");
  const error = await rejection(there);
  assert.deepEqual([error.outcome, error.code], ["refused", "too_big"]);
  await Promise.all([after, small]);
  assert.deepEqual(await stored(room), ["after"]);
});

test("over its rate it waits and keeps the order", async (t) => {
  const server = await roomd(t, { args: ["--rate", "50", "--burst", "10"] });
  const room = await joined(client(t, { url: server.url }), "r");
  const texts = Array.from({ length: 60 }, (_, i) => `text ${i}`);
  await Promise.all(texts.map((text) => say(room, text)));
  await until("all", () => room.heard.length === 60);
  assert.deepEqual(room.texts(), texts);
});

test("what was refused for now was not written: a refusal after that is one", async (t) => {
  const server = await roomd(t, { args: ["--rate", "5", "--burst", "5"] });
  const c = client(t, { url: server.url });
  const room = await joined(c, "r");
  for (let i = 0; i < 10; i += 1) room.signal({ i }); // all that it may say at once, and more
  const error = await rejection(room.send("nonsense", {}));
  assert.deepEqual([error.outcome, error.code], ["refused", "unknown_type"]);
  assert.deepEqual(c.told.errors, []);
});

test("a refusal of what was sent again says nothing of the first time: unknown", async (t) => {
  const server = await roomd(t);
  const line = await proxy(t, server.port);
  let copies = 0;
  const c = client(t, { url: line.url, WebSocket: watched((event) => { copies += event.type === "nonsense"; }) });
  const room = await joined(c, "r");
  line.state.hold = true;
  const answer = room.send("nonsense", {});
  answer.catch(() => {});
  await until("written", () => copies === 1);
  line.cut();
  line.state.hold = false;
  const error = await rejection(answer);
  assert.deepEqual([error.outcome, error.code, copies], ["unknown", "unknown_type", 2]);
});

test("what was under way in a room that was left is unknown when its answer is lost", async (t) => {
  const server = await roomd(t);
  const line = await proxy(t, server.port);
  const c = client(t, { url: line.url });
  const room = await joined(c, "r");
  const other = await joined(client(t, { url: server.url }), "r");
  line.state.hold = true;
  let outcome;
  say(room, "1").catch((error) => { outcome = error.outcome; });
  await until("stored", () => other.heard.length === 1);
  room.leave();
  assert.equal(c.pending, 1);
  line.cut();
  line.state.hold = false;
  await until("told", () => outcome);
  assert.equal(outcome, "unknown");
});

test("paused in the middle: what was written is answered when the server goes on", async (t) => {
  const server = await roomd(t);
  const c = client(t, { url: server.url });
  const room = await joined(c, "r");
  server.signal("SIGSTOP");
  const answers = ["1", "2"].map((text) => say(room, text));
  await pause(300); // written into a server that stands still
  server.signal("SIGCONT");
  await Promise.all(answers);
  assert.deepEqual(await stored(room), ["1", "2"]);
});

test("leave() and close() tell what became of what waited", async (t) => {
  const server = await roomd(t);
  const line = await proxy(t, server.port);
  const c = client(t, { url: line.url });
  const room = await joined(c, "r");
  const stays = await joined(c, "stays");
  const other = await joined(client(t, { url: server.url }), "r");
  line.state.hold = true;
  const [written, waiting] = [say(room, "1"), say(room, "2")];
  const last = say(stays, "3");
  for (const answer of [written, waiting, last]) answer.catch(() => {});
  await until("stored", () => other.heard.length === 1);
  room.leave();
  assert.equal((await rejection(waiting)).outcome, "unsent");
  line.state.hold = false;
  assert.ok((await written).seq > 0); // its answer was under way
  await last;
  line.state.hold = true;
  const open = say(stays, "4");
  c.close();
  assert.equal((await rejection(open)).outcome, "unknown");
  assert.equal((await rejection(say(stays, "5"))).outcome, "unsent");
});

test("a signal is told now or not at all, and says which", async (t) => {
  const server = await roomd(t);
  const c = client(t, { url: server.url });
  await c.ready;
  const room = c.join("r");
  assert.equal(room.signal({ typing: true }), false); // not there yet
  await room.joined;
  assert.equal(room.signal({ typing: true }), true);
  await server.kill();
  await until("lost", () => c.state === "reconnecting");
  assert.equal(room.signal({ typing: true }), false);
  assert.equal(c.pending, 0);
});
