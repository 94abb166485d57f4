import assert from "node:assert/strict";
import test from "node:test";
import { client, joined, proxy, roomd, until, watched } from "./harness.js";

const fast = ["--presence-interval", "100ms", "--max-connections-per-address", "0"];

// Many people at once, each of them one WebSocket and nothing more; resolves when all of them are in the room. people are
// they, by uid.
async function crowd(t, server, room, names) {
  const sockets = await Promise.all(names.map((name) => new Promise((resolve, reject) => {
    const socket = new WebSocket(`${server.url}?room=${room}&username=${name}`);
    socket.onerror = () => reject(new Error(`${name} could not connect`));
    socket.onmessage = (e) => {
      const event = JSON.parse(e.data);
      if (event.type === "welcome") socket.uid = event.payload.uid;
      if (event.type === "room_joined" && event.room === room) resolve(socket);
    };
  })));
  const people = [...sockets].sort((a, b) => (a.uid < b.uid ? -1 : 1));
  const leave = () => {
    for (const socket of sockets.splice(0)) socket.close(1000);
  };
  t.after(leave);
  return { leave, people };
}

const enter = (socket, name) => socket.send(JSON.stringify({ type: "join_room", payload: { name } }));
const exit = (socket, name) => socket.send(JSON.stringify({ type: "leave_room", payload: { name } }));

// A room that reads a list of two pages; the question for the second is held back until proceed(). news is what it was told.
async function reading(t, server) {
  let question = null;
  const news = [];
  const c = client(t, {
    url: server.url,
    WebSocket: watched((event, socket) => {
      if (question || event.type !== "get_online_users" || !event.payload.after) return true;
      question = { event, socket };
      return false;
    }, (event) => event.type === "presence" && news.push(event.payload)),
  });
  const room = await joined(c, "r", { members: 1000 });
  await until("the first page is read", () => question);
  return { room, news, proceed: () => question.socket.really(question.event) };
}

async function truth(server, room) {
  const uids = [];
  for (let after = ""; ;) {
    const page = await (await fetch(`${server.http}/api/rooms/${room}/members?limit=100&after=${encodeURIComponent(after)}`)).json();
    uids.push(...page.list.map((user) => user.uid));
    after = page.next;
    if (!after) return uids.sort();
  }
}

const held = (room) => room.members.map((user) => user.uid).sort();
const names = (prefix, n) => Array.from({ length: n }, (_, i) => `${prefix}${i}`);

// Waits until the list is that of the server, which must not change meanwhile.
async function right(server, room, count) {
  await until(`the list has ${count}; it has ${room.members.length} of ${room.count}`, () => room.count === count && room.complete);
  assert.deepEqual(held(room), await truth(server, room.name));
}

test("the list is right after any number of changes, and asks again when it must", async (t) => {
  const server = await roomd(t, { args: fast });
  const c = client(t, { url: server.url });
  const room = await joined(c, "r", { members: 1000 });
  await right(server, room, 1);
  const few = await crowd(t, server, "r", names("few", 5));
  await right(server, room, 6);
  const many = await crowd(t, server, "r", names("many", 260)); // more than one event tells
  await right(server, room, 266);
  few.leave();
  await right(server, room, 261);
  const others = crowd(t, server, "r", names("other", 150)); // come while the many go
  many.leave();
  await others;
  await right(server, room, 151);
  (await others).leave();
  await right(server, room, 1);
});

test("as many come as go: the number says nothing, and the list is right", async (t) => {
  const server = await roomd(t, { args: [...fast, "--presence-interval", "3s"] });
  const c = client(t, { url: server.url });
  const room = await joined(c, "r", { members: 1000 });
  const old = await crowd(t, server, "r", names("old", 120));
  await right(server, room, 121);
  await joined(client(t, { url: server.url }), "r");
  await right(server, room, 122); // and an interval begins with what changes next
  const come = crowd(t, server, "r", names("new", 120));
  old.leave();
  await come;
  await until("the old are gone", async () => (await truth(server, "r")).length === 122);
  await until("the list is that of the server", async () => `${held(room)}` === `${await truth(server, "r")}`);
});

test("a list that begins in a room of many holds all that it is to hold", async (t) => {
  const server = await roomd(t, { args: fast });
  await crowd(t, server, "r", names("one", 230));
  const c = client(t, { url: server.url });
  const room = await joined(c, "r", { members: 1000 });
  await right(server, room, 231);

  const some = await joined(client(t, { url: server.url }), "r");
  await until("both are counted", () => some.count === 232);
  assert.equal(some.members.length >= 100, true);
  assert.equal(some.complete, false);
  some.loadMembers(200);
  await until("two pages", () => some.members.length >= 200 && some.members.length < 232);
  some.loadMembers(300);
  await right(server, some, 232);
});

test("the list is right after a lost connection", async (t) => {
  const server = await roomd(t, { args: fast });
  const line = await proxy(t, server.port);
  const c = client(t, { url: line.url });
  const room = await joined(c, "r");
  const crowded = await crowd(t, server, "r", names("gone", 60));
  await right(server, room, 61);
  line.state.refuse = true;
  line.cut();
  await until("lost", () => c.state === "reconnecting");
  crowded.leave();
  await crowd(t, server, "r", names("come", 20));
  line.state.refuse = false;
  await right(server, room, 21);
});

test("who comes and goes while the list is read is right in it", async (t) => {
  const server = await roomd(t, { args: fast });
  const watcher = await joined(client(t, { url: server.url }), "r", { members: 1000 });
  const { people: [comes, goes] } = await crowd(t, server, "r", names("one", 130));
  await right(server, watcher, 131);
  exit(comes, "r");
  await right(server, watcher, 130); // all is told: what comes next is told by itself, and is not too much
  const { room, proceed } = await reading(t, server);
  enter(comes, "r");
  exit(goes, "r"); // as many come as go: the number would not show what is wrong
  await until("both were told", () => held(room).includes(comes.uid) && !held(room).includes(goes.uid));
  proceed();
  await right(server, room, 131);
});

test("a list that became worthless while it was read is read again", async (t) => {
  const server = await roomd(t, { args: [...fast, "--presence-interval", "3s"] });
  const { people } = await crowd(t, server, "r", names("one", 200));
  const [coming, going] = [0, 1].map((odd) => people.slice(0, 120).filter((_, i) => i % 2 === odd)); // all on the first page
  for (const socket of coming) exit(socket, "r");
  await until("those are away", async () => (await truth(server, "r")).length === 140);
  const { room, news, proceed } = await reading(t, server);
  for (const socket of coming) enter(socket, "r");
  for (const socket of going) exit(socket, "r");
  await until("told that there was too much to tell", () => {
    const listed = new Set(held(room)); // a slow machine tells it in two parts, of which neither is too much
    return news.some(({ more }) => more) || (coming.every(({ uid }) => listed.has(uid)) && !going.some(({ uid }) => listed.has(uid)));
  });
  proceed();
  await until("the list is that of the server", async () => `${held(room)}` === `${await truth(server, "r")}`);
});
