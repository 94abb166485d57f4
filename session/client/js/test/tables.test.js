import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { client, joined, proxy, rejection, roomd, until } from "./harness.js";

// Tables whose first round stays open as long as a test lasts.
const tables = (t) => roomd(t, { args: ["--tables", "baccarat-*=baccarat", "--bet-time", "1h"] });

const bet = (room, amount, id) => room.send("place_bet", { round: 1, on: "player", amount }, { id });
const types = (room) => room.heard.map((event) => event.type);

test("tables: a command resolves when it is decided, and its event comes", async (t) => {
  const server = await tables(t);
  const room = await joined(client(t, { url: server.url }), "baccarat-1");
  await until("the round is open", () => types(room).includes("round_opened"));
  const { seq, duplicate } = await bet(room, 40);
  assert.equal(duplicate, false);
  const event = await until("the bet is told", () => room.heard.find((e) => e.type === "bet_placed"));
  assert.deepEqual([event.seq, event.payload.amount, event.payload.stack], [seq, 40, 9960]);
  assert.equal(event.replayed, undefined);
});

test("tables: a step of several events is told event by event, also in the history", async (t) => {
  const server = await tables(t);
  const room = await joined(client(t, { url: server.url }), "baccarat-1");
  const only = [];
  room.on("round_opened", (payload, event) => only.push([payload.round, event.type]));
  const whole = (events) => {
    assert.deepEqual(events.map((e) => [e.type, e.index, e.of]), [["shoe_started", 0, 2], ["round_opened", 1, 2]]);
    assert.equal(events[0].seq, events[1].seq);
    for (const event of events) assert.ok(event.at > 0 && event.room === "baccarat-1");
  };
  await until("the shoe and the round", () => room.heard.length === 2);
  whole(room.heard);
  assert.equal(room.position.seq, room.heard[0].seq);
  const { events, more } = await room.history();
  whole(events);
  assert.equal(more, false);
  assert.ok(only.every((each) => each.join() === "1,round_opened"), String(only));
});

test("tables: leaving in the middle of a step ends it there", async (t) => {
  const server = await tables(t);
  const heard = [];
  const room = client(t, { url: server.url }).join("baccarat-1");
  const over = new Promise((resolve) => {
    room.on("*", (payload, { type }) => {
      heard.push(type);
      room.leave();
      resolve();
    });
  });
  await over;
  assert.deepEqual(heard, ["shoe_started"]);
});

test("tables: the state is told with the join; what it holds already is marked in the replay", async (t) => {
  const server = await tables(t);
  const first = await joined(client(t, { url: server.url }), "baccarat-1");
  await until("the round is open", () => types(first).includes("round_opened"));
  await bet(first, 40);
  const olga = client(t, { url: server.url });
  let told;
  const hers = await joined(olga, "baccarat-1", { last: 10, onJoined: (payload) => { told = payload; } });
  assert.deepEqual([told.state.phase, told.state.round, told.state.totals], ["betting", 1, { player: 40 }]);
  assert.ok(told.state_seq >= told.seq && Math.abs(told.now - olga.now()) < 60_000);
  await until("the replay", () => hers.heard.length === 3);
  assert.deepEqual(hers.heard.map((e) => [e.type, e.replayed]), [["shoe_started", true], ["round_opened", true], ["bet_placed", true]]);
  await bet(first, 60);
  await until("the next bet", () => hers.heard.length === 4);
  assert.equal(hers.heard[3].replayed, undefined);
});

test("tables: a refusal says the rules' reason", async (t) => {
  const server = await tables(t);
  const room = await joined(client(t, { url: server.url }), "baccarat-1");
  await until("the round is open", () => types(room).includes("round_opened"));
  const error = await rejection(bet(room, 30));
  assert.deepEqual([error.outcome, error.code], ["refused", "refused"]);
  assert.match(error.message, /multiple of 20/);
});

test("tables: a command under way when the connection broke is decided once", async (t) => {
  const server = await tables(t);
  const line = await proxy(t, server.port);
  const room = await joined(client(t, { url: line.url }), "baccarat-1");
  const other = await joined(client(t, { url: server.url }), "baccarat-1");
  await until("the round is open", () => types(room).includes("round_opened"));
  line.state.hold = true; // what the server answers is lost
  const accepted = bet(room, 40);
  const refused = rejection(bet(room, 30));
  await until("it is decided", () => types(other).includes("bet_placed"));
  line.state.hold = false;
  line.cut();
  assert.equal((await accepted).seq, other.heard.find((e) => e.type === "bet_placed").seq);
  // Also a refusal of a second copy is certain: the table remembers what it decided of the first.
  const error = await refused;
  assert.deepEqual([error.outcome, error.code], ["refused", "refused"]);
  await until("the bet is told here, too", () => types(room).includes("bet_placed"));
  assert.equal(types(room).filter((type) => type === "bet_placed").length, 1);
});

test("tables: a refusal of a copy that goes again is a refusal", async (t) => {
  const server = await tables(t);
  const line = await proxy(t, server.port);
  const room = await joined(client(t, { url: line.url }), "baccarat-1");
  const other = await joined(client(t, { url: server.url }), "baccarat-1");
  await until("the round is open", () => types(room).includes("round_opened"));
  line.state.hold = true;
  const refused = rejection(bet(room, 30));
  // Behind it in the same connection: once the table has decided this, it has decided that.
  room.signal({ behind: true });
  await until("the server has it", () => types(other).includes("signal"));
  line.state.hold = false;
  line.cut();
  const error = await refused;
  assert.deepEqual([error.outcome, error.code], ["refused", "refused"]);
});

test("tables: what the README shows works", async (t) => {
  const server = await tables(t);
  const first = await joined(client(t, { url: server.url }), "baccarat-1");
  await until("the round is open", () => types(first).includes("round_opened"));
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const shown = readme.split("```js\n").map((part) => part.split("```")[0]).find((block) => block.includes("baccarat-1"));
  const run = Object.getPrototypeOf(async () => {}).constructor("client", `${shown}; return state;`);
  const state = await run(client(t, { url: server.url }));
  await until("the bet is applied", () => state.totals.banker === 100);
});
