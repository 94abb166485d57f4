// What the tests share: a real roomd that is killed, paused and drained, a TCP proxy in front of it, and waiting for what
// is to happen. Run by cmd/internal/jsclient, which says where roomd (ROOMD) and the client (CLIENT) are.

import { spawn } from "node:child_process";
import { createHmac, randomUUID, webcrypto } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

// What Node 18 lacks: ws is a WebSocket for it, which Debian has as node-ws.
globalThis.crypto ??= webcrypto;
globalThis.WebSocket ??= createRequire(import.meta.url)("ws");

export const { connect, RoomError } = await import(process.env.CLIENT ?? "../client.js");

const PATIENCE_MS = 60_000;
export const KEY = "a key of these tests, of thirty-two bytes or more";

/** Looks until it is true, and fails after a while with what was waited for. */
export async function until(what, look, patience = PATIENCE_MS) {
  const end = performance.now() + patience;
  for (;;) {
    const value = await look();
    if (value) return value;
    if (performance.now() > end) throw new Error(`not within ${patience} ms: ${what}`);
    await pause(10);
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Promise of the rejection of p. */
export const rejection = (p) => p.then((value) => { throw new Error(`resolved with ${JSON.stringify(value)}`); }, (error) => error);

/**
 * A WebSocket that calls sending(event, socket) before it sends, and does not send where that says false, and hearing(event)
 * before the client hears it.
 */
export function watched(sending, hearing = () => {}) {
  return class extends WebSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", (e) => hearing(JSON.parse(e.data)));
    }

    send(text) {
      if (sending(JSON.parse(text), this) !== false) super.send(text);
    }

    /** Sends what was held back. */
    really(event) {
      super.send(JSON.stringify(event));
    }
  };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on("error", reject).listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A real roomd with a store of its own; t is the test whose end is its end. */
export async function roomd(t, { args = [], key = "" } = {}) {
  const port = await freePort();
  const store = mkdtempSync(join(tmpdir(), "roomd-js-"));
  let child;
  let log = "";
  const server = {
    port,
    http: `http://127.0.0.1:${port}`,
    url: `ws://127.0.0.1:${port}/ws`,
    async start() {
      child = spawn(process.env.ROOMD, ["--addr", `127.0.0.1:${port}`, "--nats-addr", "-", "--store-dir", store, "--log", "json",
        "--connect-rate", "0", "--login-rate", "0", ...args], { env: { ...process.env, ROOMD_JWT_KEY: key }, stdio: ["ignore", "pipe", "pipe"] });
      const born = child;
      for (const out of [born.stdout, born.stderr]) out.on("data", (data) => { log += data; });
      born.gone = new Promise((resolve) => born.on("exit", resolve));
      await until(`roomd is ready; it said ${log}`, () => {
        if (born.exitCode !== null) throw new Error(`roomd ended: ${log}`);
        return fetch(`${server.http}/readyz`).then((r) => r.ok, () => false);
      });
    },
    signal(name) {
      child.kill(name);
    },
    async kill() {
      child.kill("SIGKILL");
      await child.gone;
    },
    async drain() {
      child.kill("SIGTERM");
      await child.gone;
    },
    async post(room, event, headers = {}) {
      const response = await fetch(`${server.http}/api/rooms/${room}/events`, {
        method: "POST", body: JSON.stringify(event), headers: { "Content-Type": "application/json", ...headers },
      });
      if (!response.ok) throw new Error(`POST an event: ${response.status} ${await response.text()}`);
      return response.json();
    },
  };
  t.after(async () => {
    child.kill("SIGCONT");
    await server.kill();
    rmSync(store, { recursive: true, force: true });
  });
  await server.start();
  return server;
}

/** So many roomd on one NATS, which is in the first of them; each with arguments of its own. */
export async function roomds(t, ...args) {
  const nats = `127.0.0.1:${await freePort()}`;
  const first = await roomd(t, { args: ["--nats-addr", nats, ...args[0]] });
  return [first, ...await Promise.all(args.slice(1).map((more) => roomd(t, { args: ["--nats-url", `nats://${nats}`, ...more] })))];
}

/**
 * A TCP proxy in front of port, which may change. It can stop forwarding what the server sends (hold; holdNew: to WebSockets that
 * are opened from then on), slow it (delay in ms per piece), cut all connections, refuse new ones, and say something in the
 * server's name.
 */
export async function proxy(t, port) {
  const pairs = new Set();
  const state = { port, hold: false, holdNew: false, delay: 0, refuse: false, opened: 0, most: 0, requests: [] };
  const server = net.createServer((near) => {
    if (state.refuse) {
      near.destroy();
      return;
    }
    const far = net.connect(state.port, "127.0.0.1");
    const pair = { near, far, upgraded: false, late: state.holdNew, queue: Promise.resolve() };
    pairs.add(pair);
    const end = () => {
      near.destroy();
      far.destroy();
      pairs.delete(pair);
    };
    near.on("data", (data) => {
      const line = data.toString("latin1").split("\r\n")[0];
      if (line.startsWith("GET /ws") && /upgrade: websocket/i.test(data.toString("latin1"))) {
        pair.upgraded = true;
        state.opened += 1;
        state.requests.push(line);
        state.most = Math.max(state.most, proxied.sockets().length);
      }
      far.write(data);
    });
    far.on("data", (data) => {
      pair.queue = pair.queue.then(async () => {
        if (state.delay) await pause(state.delay);
        const held = () => state.hold || (state.holdNew && pair.late && pair.upgraded);
        while (held() && !near.destroyed) await pause(5);
        if (!near.destroyed) near.write(data);
      });
    });
    for (const socket of [near, far]) socket.on("error", end).on("close", end);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxied = {
    state,
    http: `http://127.0.0.1:${server.address().port}`,
    url: `ws://127.0.0.1:${server.address().port}/ws`,
    sockets: () => [...pairs].filter((pair) => pair.upgraded),
    cut() {
      for (const { near, far } of pairs) {
        near.destroy();
        far.destroy();
      }
    },
    /** One WebSocket frame to every client, as if the server had sent it. */
    say(opcode, body) {
      for (const { near } of proxied.sockets()) near.write(Buffer.concat([Buffer.from([0x80 | opcode, body.length]), body]));
    },
    sayEvent: (event) => proxied.say(1, Buffer.from(JSON.stringify(event))),
    sayClose(code) {
      const body = Buffer.alloc(2);
      body.writeUInt16BE(code);
      proxied.say(8, body);
    },
  };
  t.after(() => {
    proxied.cut();
    server.close();
  });
  return proxied;
}

/** A client that ends with the test, tries again soon, and keeps what it was told. */
export function client(t, options) {
  const told = { statuses: [], errors: [] };
  const c = connect({
    minBackoff: 20, maxBackoff: 200, ...options,
    onStatus: (status) => { told.statuses.push(status); options.onStatus?.(status); },
    onError: (error) => { told.errors.push(error); options.onError?.(error); },
  });
  t.after(() => c.close());
  c.told = told;
  return c;
}

/** Joins and collects what is said there. */
export async function joined(c, name, options) {
  const room = c.join(name, options);
  room.heard = [];
  room.on("*", (payload, event) => room.heard.push(event));
  room.texts = () => room.heard.map((event) => event.payload.message);
  await room.joined;
  return room;
}

export const say = (room, message) => room.send("send_message", { message });

/** A JWT that the servers of these tests take. */
export function jwt(sub, seconds, more = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Date.now() / 1000;
  const body = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub, name: sub, iat: Math.floor(now), exp: Math.floor(now + seconds), jti: randomUUID(), ...more })}`;
  return `${body}.${createHmac("sha256", KEY).update(body).digest("base64url")}`;
}

/** A clock that a test sets forward, as a machine's sleep does; timers go on as they were. */
export function clock(t) {
  const real = Date.now;
  let ahead = 0;
  Date.now = () => real() + ahead;
  t.after(() => { Date.now = real; });
  return { forward(ms) { ahead += ms; } };
}
