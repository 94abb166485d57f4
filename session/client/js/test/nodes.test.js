import assert from "node:assert/strict";
import test from "node:test";
import { client, joined, proxy, roomds, say, until } from "./harness.js";

const connections = (c) => c.told.statuses.filter((s) => s.state === "connected").length;

// Three nodes on one NATS. Percy is at the second, through line, and is to go to the third, where the room is open. Olga, at
// the first, sees who leaves: the second tells at once who is there no more, the third takes its time to say who has come.
async function elsewhere(t) {
  const [home, from, to] = await roomds(t, ["--presence-interval", "20ms"], ["--presence-interval", "20ms"], ["--presence-interval", "20s"]);
  const line = await proxy(t, from.port);
  const percy = client(t, { url: line.url });
  const mine = await joined(percy, "r", { onRefresh: () => assert.fail("there was nothing to refresh") });
  const { uid, node } = percy.welcome;
  const olga = client(t, { url: home.url });
  let seen = false;
  let left = 0;
  const hers = await joined(olga, "r", {
    onMembers: (room) => {
      const there = room.members.some((user) => user.uid === uid);
      if (seen && !there) left += 1;
      seen = there;
    },
  });
  await joined(client(t, { url: to.url }), "r");
  await until("olga sees percy", () => seen);
  line.state.port = to.port;
  return { home, from, line, percy, mine, hers, node, left: () => left };
}

test("a node of several is drained: it goes on at another, misses nothing, and nobody sees it leave", async (t) => {
  const { home, from, percy, mine, hers, node, left } = await elsewhere(t);
  const texts = [];
  const talk = async (enough) => {
    while (!enough()) {
      texts.push(`text ${texts.length}`);
      await say(hers, texts.at(-1));
    }
  };
  const gone = from.drain();
  await talk(() => connections(percy) === 2); // all the while
  assert.notEqual(percy.welcome.node, node);
  const before = texts.length;
  await talk(() => texts.length === before + 3);
  assert.ok((await say(mine, "here I am")).seq > 0);
  texts.push("here I am");
  await until("all is heard", () => mine.heard.length === texts.length);
  assert.deepEqual(mine.texts(), texts);
  await gone;
  await until("the node that stopped is forgotten", async () => {
    const metrics = await (await fetch(`${home.http}/metrics`)).text();
    return /_peers_lost_total 1$/m.test(metrics);
  });
  await say(hers, "is it still here?");
  await until("heard", () => mine.heard.length === texts.length + 1);
  assert.equal(left(), 0, "percy was seen to leave");
});

test("a move to another node while the old one lives: nobody sees it leave", async (t) => {
  const { from, line, percy, node, hers, left } = await elsewhere(t);
  line.sayEvent({ type: "reconnect", payload: { after_ms: 0 } });
  await until("the second connection", () => connections(percy) === 2);
  assert.notEqual(percy.welcome.node, node);
  await until("the old one is closed", () => line.sockets().length === 1);
  const last = client(t, { url: from.url });
  await joined(last, "r"); // the old node tells of this one after it has told of percy
  await until("told", () => hers.members.some((user) => user.uid === last.welcome.uid));
  assert.equal(left(), 0, "percy was seen to leave");
});
