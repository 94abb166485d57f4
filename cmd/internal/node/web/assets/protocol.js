// The rules of rooms/wire/README.md that need neither a socket nor a page.

/** The name under which a client knows its own inbox. */
export const INBOX = "@me";

/** Messages longer than this (UTF-16 units) are not sent: at 3 bytes each they stay below the server's 16 KiB. */
export const MAX_TEXT = 4000;

/** Picture addresses longer than this are refused. */
export const MAX_IMAGE_URL = 2048;

/** Code points in a room name, and bytes in its encoded form. */
export const MAX_ROOM_NAME = 64;

const BACKOFF_MIN_MS = 500;
const BACKOFF_MAX_MS = 20_000;

// Everything else that carries a room and a seq is an event of that room's log, known or not.
const NOT_LOGGED = new Set([
  "welcome", "room_joined", "room_left", "presence", "online_users", "history",
  "signal", "ack", "error", "reconnect", "heartbeat",
]);

/** Whether event is a position in a room's log, as opposed to an answer or a passing notice. */
export function isLogged(event) {
  return !NOT_LOGGED.has(event.type) && typeof event.room === "string" && Number.isSafeInteger(event.seq);
}

/** A room name as people mean it: trimmed, NFC; "" when it cannot be one. The server has the last word. */
export function roomName(text) {
  const name = String(text ?? "").normalize("NFC").trim();
  if (name === "" || name.startsWith("@") || [...name].length > MAX_ROOM_NAME) return "";
  return /[\u0000-\u001f\u007f-\u009f]/.test(name) ? "" : name;
}

const ESCAPES = { "=": "=3D", ",": "=2C", ":": "=3A" };

/** The value of ?resume= (not yet URL-encoded) for a map of room to {epoch, seq}. */
export function resumeValue(positions) {
  return [...positions]
    .map(([room, { epoch, seq }]) => `${room.replace(/[=,:]/g, (c) => ESCAPES[c])}:${epoch}:${seq}`)
    .join(",");
}

/** Full jitter: anywhere between the minimum and a ceiling that doubles with each attempt (counted from 0). */
export function backoff(attempt, random = Math.random) {
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (Math.min(attempt, 10) + 1));
  return Math.round(BACKOFF_MIN_MS + random() * (ceiling - BACKOFF_MIN_MS));
}

/** Whether a connection closed with code is over for good. */
export function isFinal(code) {
  return code >= 4500 && code <= 4999;
}

/** A picture's address if it may be shown: absolute http or https. Otherwise "". */
export function imageURL(text) {
  const trimmed = typeof text === "string" ? text.trim() : "";
  if (trimmed === "" || trimmed.length > MAX_IMAGE_URL) return "";
  try {
    const url = new URL(trimmed);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : "";
  } catch {
    return "";
  }
}

// Not crypto.randomUUID: that exists only on https and localhost, and the page is also opened by LAN address.
const page = [...crypto.getRandomValues(new Uint8Array(8))].map((b) => b.toString(16).padStart(2, "0")).join("");
let issued = 0;

/** An id that no other page and no reload of this one has used. */
export function nextID() {
  issued += 1;
  return `${page}-${issued}`;
}
