// A room server over Socket.IO: node server.js --addr 127.0.0.1:3001
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { Server } from "socket.io";

const { values } = parseArgs({ options: { addr: { type: "string", default: "127.0.0.1:3001" } } });
const colon = values.addr.lastIndexOf(":");

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
