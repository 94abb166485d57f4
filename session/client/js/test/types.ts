// What a user writes in TypeScript; checked by tsc, against the packed package, and never run.

import { connect, RoomError } from "roomd-client";
import type { Ack, Room } from "roomd-client";

interface Events {
  place_bet: { on: "player" | "banker"; amount: number };
  round_result: { winner: string };
}

async function typed(): Promise<void> {
  const client = connect<Events>({ url: "wss://example.com/ws", token: async () => ({ otp: "ticket" }) });
  const room: Room<Events> = client.join("table-1", { last: 50, onRefresh: (r) => void r.history() });
  const stop: () => void = room.on("round_result", (payload, event) => {
    const winner: string = payload.winner;
    const seq: number | undefined = event.seq;
    console.log(winner, seq);
  });
  room.on("new_message", ({ from, message, time }) => console.log(from, message, time + 1));
  const ack: Ack = await room.send("place_bet", { on: "banker", amount: 5 });
  await room.send("send_message", { message: "hi" }, { id: "mine" });
  await client.send("private_message", { to_uid: "alice", message: "psst" });
  client.inbox.on("private_message", ({ uid, to_uid, time }) => console.log(uid === client.welcome?.uid ? to_uid : uid, time + 1));
  try {
    await room.send("send_message", { message: `after ${ack.seq}` });
  } catch (error) {
    if (error instanceof RoomError && error.outcome === "unknown") console.log(error.code);
  }
  const table = client.join("baccarat-1", { onJoined: ({ state, state_seq, now }) => console.log(state?.phase, (state_seq ?? 0) + 1, now) });
  table.on("*", (_, { index, of, replayed }) => console.log(index === of, replayed));
  stop();
  const { list, next } = await client.listRooms<{ title: string }>({ prefix: "table-", limit: 10 });
  const titles: (string | undefined)[] = list.map(({ label }) => label?.title);
  console.log(titles, (await client.listRooms({ after: next })).list[0]?.count);

  // @ts-expect-error there is no such field
  room.on("round_result", (payload) => payload.loser);
  // @ts-expect-error an amount is a number
  await room.send("place_bet", { on: "banker", amount: "5" });
  // @ts-expect-error there is no such event
  await room.send("place_bets", {});
  // @ts-expect-error a limit is a number
  await client.listRooms({ limit: "10" });
  // @ts-expect-error the inbox has no last
  connect({ inbox: { last: 20 } });
  // @ts-expect-error a private message says to whom
  await client.send("private_message", { message: "psst" });
  // @ts-expect-error there is no such outcome
  new RoomError("unsent", "x", "y").outcome === "lost";
}

async function plain(): Promise<void> {
  const client = connect();
  const room = client.join("general");
  room.on("new_message", (payload) => payload.message.length);
  client.inbox.on("private_message", (payload) => payload.uid.length);
  room.on("*", (payload, event) => console.log(payload.anything, event.type));
  await room.send("send_message", { message: "hi" });
  // Who describes no types of his own may use any, and those that every server knows keep theirs.
  room.on("round_result", (payload, event) => console.log(payload.winner, event.seq));
  await room.send("place_bet", { on: "banker", amount: 5 });
  const kept: Room = room;
  // @ts-expect-error a message has no such field
  kept.on("new_message", (payload) => payload.winner);
}

void typed;
void plain;
