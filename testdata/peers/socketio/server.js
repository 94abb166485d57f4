// A room server over Socket.IO: node server.js --addr 127.0.0.1:3001
// With --redis redis://127.0.0.1:6379 what is said is stored in a stream there,
// from which clients that come back get what they missed.
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { Server } from "socket.io";

const { values } = parseArgs({
  options: { addr: { type: "string", default: "127.0.0.1:3001" }, redis: { type: "string" } },
});
const colon = values.addr.lastIndexOf(":");

// The adapter's defaults, as its documentation shows it: the last 10,000
// messages of all rooms are kept.
async function storage(url) {
  if (!url) return {};
  const { createClient } = await import("redis");
  const { createAdapter } = await import("@socket.io/redis-streams-adapter");
  const client = createClient({ url });
  client.on("error", (err) => {
    console.error(err); // the adapter would go on without storing anything
    process.exit(1);
  });
  await client.connect();
  return { adapter: createAdapter(client), connectionStateRecovery: {} };
}

const http = createServer((request, response) => {
  response.writeHead(request.url === "/readyz" ? 200 : 404).end();
});
const io = new Server(http, {
  path: "/ws",
  addTrailingSlash: false,
  transports: ["websocket"],
  serveClient: false,
  maxHttpBufferSize: 16 * 1024,
  pingInterval: 25_000,
  pingTimeout: 10_000,
  ...(await storage(values.redis)),
});

io.on("connection", (socket) => {
  const { room, username } = socket.handshake.query;
  socket.join(room);
  socket.on("send_message", ({ message }) => {
    const now = new Date();
    io.to(room).emit("new_message", {
      type: "new_message",
      room,
      payload: {
        message,
        from: username,
        sent: now.toISOString(),
        time: now.getTime(),
        uid: `guest-${username}`,
        username,
        avatar_id: "",
        room_id: room,
      },
    });
  });
  socket.emit("room_joined", {});
});

http.listen(Number(values.addr.slice(colon + 1)), values.addr.slice(0, colon));
