// What is on view is in the page's address: ?room=NAME, or ?user=UID for a private conversation. So it can be linked to,
// and Back and Forward go through what one has looked at.

import { roomName } from "./protocol.js";

/**
 * What the page was opened with. #token= and #room= are used once and taken out, so that a token is in no bookmark and
 * no history.
 */
export function open() {
  const given = new URLSearchParams(location.hash.slice(1));
  const token = given.get("token") ?? "";
  const room = roomName(given.get("room"));
  if (token || room) history.replaceState(null, "", location.pathname + location.search);
  return { token, ...(room ? { room, user: "" } : onView()) };
}

/** What the address says is on view. */
export function onView() {
  const query = new URLSearchParams(location.search);
  const user = query.get("user") ?? "";
  return { room: user ? "" : roomName(query.get("room")), user };
}

/** Writes what is on view; target is a room, a conversation or null. replace: what was there is no place to go back to. */
export function show(target, { replace }) {
  const url = new URL(location.href);
  url.searchParams.delete("room");
  url.searchParams.delete("user");
  if (target) url.searchParams.set(target.kind === "room" ? "room" : "user", target.name ?? target.uid);
  if (url.href === location.href) return;
  if (replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
}
