// The rules of rooms/wire/README.md that a page needs before it asks.

/** Messages longer than this (UTF-16 units) are not sent: at 3 bytes each they stay below the server's 16 KiB. */
export const MAX_TEXT = 4000;

/** Picture addresses longer than this are refused. */
export const MAX_IMAGE_URL = 2048;

/** The most characters that a name of one's own has. */
export const MAX_NAME = 40;

/** How long the server knows an event by its id, with a margin: later the same event may be stored twice. */
export const RESEND_MS = 110_000;

const MAX_ROOM_NAME = 64; // characters

/** A room name as people mean it: trimmed, NFC; "" when it cannot be one. The server has the last word. */
export function roomName(text) {
  const name = String(text ?? "").normalize("NFC").trim();
  if (name === "" || name.startsWith("@") || [...name].length > MAX_ROOM_NAME) return "";
  return /[\u0000-\u001f\u007f-\u009f]/.test(name) ? "" : name;
}

/** An address if it may be followed: absolute http or https. Otherwise null. */
export function webURL(text) {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url : null;
  } catch {
    return null;
  }
}

/** A picture's address if it may be shown. Otherwise "". */
export function imageURL(text) {
  const trimmed = typeof text === "string" ? text.trim() : "";
  return trimmed.length > MAX_IMAGE_URL ? "" : webURL(trimmed)?.href ?? "";
}

/** Whether somebody is a guest: nobody else's uid begins so. */
export const isGuest = (uid) => uid.startsWith("guest-");

const PERSON = ["uid", "to_uid", "username", "from", "avatar_id"];

/** An event's payload in which whoever it names is named by text. A service may say anything: what is no text there is as if absent. */
export function fieldsOf(payload) {
  const fields = typeof payload === "object" && !Array.isArray(payload) ? { ...payload } : {};
  for (const name of PERSON) if (typeof fields[name] !== "string") delete fields[name];
  return fields;
}

// Not crypto.randomUUID: that exists only on https and localhost, and the page is also opened by LAN address.
const page = [...crypto.getRandomValues(new Uint8Array(8))].map((b) => b.toString(16).padStart(2, "0")).join("");
let issued = 0;

/** An id that no other page and no reload of this one has used. */
export function nextID() {
  issued += 1;
  return `${page}-${issued}`;
}
