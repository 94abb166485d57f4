// One message, one event of the table, one entry of the outbox, as elements.

import { h, icon } from "./dom.js";
import { avatar } from "./avatars.js";
import { loadsAtOnce } from "./pictures.js";
import { fieldsOf, imageURL } from "./protocol.js";
import { link, withLinks } from "./text.js";
import { errorText, formatDay, formatFull, formatTime, has, t } from "./i18n.js";

const MESSAGES = new Set(["new_message", "private_message"]);
const GROUP_MS = 5 * 60_000; // messages of one person this close together share one head
const FIELDS = 8; // of an unknown event's payload that are shown
const MAX_MS = 8.64e15; // the latest time that a Date holds

/** When event was logged, in ms since 1970. A node of an older version does not say so. */
export function timeOf({ at, payload }) {
  const sent = typeof payload?.sent === "string" ? Date.parse(payload.sent) : NaN;
  return [at, payload?.time, sent].find((ms) => typeof ms === "number" && ms !== 0 && Math.abs(ms) <= MAX_MS) ?? Date.now();
}

/** Whether event goes on what before began, so that it needs no name and avatar of its own. */
export function continues(before, event) {
  if (!before || !MESSAGES.has(before.type) || !MESSAGES.has(event.type)) return false;
  const a = fieldsOf(before.payload);
  const b = fieldsOf(event.payload);
  const same = a.uid === b.uid && (a.from || a.username) === (b.from || b.username) && kindOf(a) === kindOf(b);
  return same && timeOf(event) - timeOf(before) < GROUP_MS && sameDay(before, event);
}

/** Whether both happened on one day, here. */
export function sameDay(before, event) {
  return Boolean(before) && new Date(timeOf(before)).toDateString() === new Date(timeOf(event)).toDateString();
}

/** The line between two days. */
export function dayLine(event) {
  return h("div", { class: "day", role: "separator" }, h("span", {}, formatDay(timeOf(event))));
}

/** The line above what came while nobody looked. */
export function newLine() {
  return h("div", { class: "day new-line", role: "separator", dataset: { testid: "new-line" } }, h("span", {}, t("log.fresh")));
}

/** One event of a log. open(uid) is what a click on a person does. One that cannot be drawn keeps no other from being. */
export function eventNode(event, context) {
  const payload = fieldsOf(event.payload);
  const attrs = { dataset: { testid: "message", seq: String(event.seq), type: event.type, uid: payload.uid ?? "" } };
  try {
    return drawn(event, payload, attrs, context);
  } catch (err) {
    console.error(`event ${event.seq} cannot be drawn`, err);
    return h("article", { ...attrs, class: "notice-event" }, h("p", { class: "quiet" }, t("msg.unreadable")));
  }
}

function drawn(event, payload, attrs, { me, open }) {
  if (!MESSAGES.has(event.type)) return h("article", { ...attrs, class: "notice-event" }, ...tableEvent(event));
  const mine = Boolean(payload.uid) && payload.uid === me.uid;
  const kind = kindOf(payload);
  const service = kind === "service";
  const name = nameOf(payload);
  const face = avatar({ ...payload, username: name });
  const canOpen = !mine && !service;
  return h(
    "article",
    { ...attrs, class: `msg${mine ? " mine" : ""}${service ? " service" : ""}` },
    canOpen ? h("button", { type: "button", class: "face", tabindex: "-1", "aria-label": t("people.talk", { name }), title: t("people.talk", { name }), onclick: () => open(payload.uid) }, face) : face,
    h("div", { class: "msg-body" },
      h("p", { class: "msg-head" }, h("bdi", { class: "msg-name" }, name), kind && !mine && tag(kind), time(event)),
      bubble(payload, name, formatFull(timeOf(event)))),
  );
}

// Who speaks, as the server knows it: "guest", "service", or "" for a user with a token. A message from before there
// were marks has no uid when it is a service's.
function kindOf({ guest, service, uid }) {
  if (service === true || !uid) return "service";
  return guest === true ? "guest" : "";
}

function tag(kind) {
  return h("span", { class: `tag tag-${kind}`, dataset: { testid: "kind", kind }, title: t(`msg.${kind}.hint`) }, t(`msg.${kind}`));
}

function nameOf(payload) {
  return payload.from || payload.username || payload.uid || t("msg.service");
}

function text(value) {
  return typeof value === "string" ? value : "";
}

function time(event) {
  const ms = timeOf(event);
  return h("time", { datetime: new Date(ms).toISOString(), title: formatFull(ms) }, formatTime(ms));
}

function bubble(payload, name, title) {
  const picture = imageURL(payload.image_url);
  const text = payload.message ?? payload.content ?? "";
  return h("div", { class: "bubble", title }, text !== "" && h("p", { class: "msg-text", dir: "auto" }, ...asText(text)), picture && pictureLink(picture, name));
}

function asText(value) {
  return withLinks(typeof value === "string" ? value : JSON.stringify(value));
}

function pictureLink(src, name) {
  const url = new URL(src);
  const atOnce = loadsAtOnce(url);
  const picture = link(src, { class: `picture${atOnce ? "" : " unloaded"}`, dataset: { testid: "picture", host: url.host }, title: src });
  picture.append(...(atOnce ? [image(url, name, picture)] : card("picture", t("msg.picture", { name }), url)));
  return picture;
}

// What stands for a picture that nobody has asked for, or that cannot be shown. The host of the first would learn who reads
// here and when, so it is told nothing before a click; that opens the picture in a tab of its own, because the policy lets
// none of it into this one.
function card(drawing, title, { host }) {
  return [
    icon(drawing),
    h("span", { class: "picture-from" }, h("span", {}, title), h("bdi", { class: "picture-host", dir: "ltr" }, host), h("span", { class: "quiet" }, t("msg.picture.open"))),
  ];
}

function image(url, name, picture) {
  const img = h("img", { alt: t("msg.picture", { name }), loading: "lazy", decoding: "async", referrerpolicy: "no-referrer" });
  img.addEventListener("error", () => {
    picture.classList.add("unloaded");
    picture.dataset.broken = "true";
    picture.replaceChildren(...card("broken", t("msg.picture.gone", { name }), url));
  });
  img.src = url.href; // after the attributes above: they decide how it is fetched
  return img;
}

// ---- events that are no messages ----

function tableEvent(event) {
  const payload = event.payload;
  const winner = event.type === "round_result" ? text(payload?.winner).toLowerCase() : "";
  const known = has(`event.${event.type}`);
  const name = known ? t(`event.${event.type}`, payload ?? {}) : event.type;
  const title = winner && has(`round.${winner}`) ? round(winner) : h("strong", {}, name);
  if (known) return [h("p", { class: "event-title" }, title, time(event)), fingerprint(payload)];
  return [h("p", { class: "event-title" }, title, time(event)), details(payload, winner)];
}

// Of a shoe: what anybody may check it by.
function fingerprint(payload) {
  const fields = ["commit", "seed"].filter((name) => typeof payload?.[name] === "string");
  if (fields.length === 0) return null;
  return h("dl", { class: "event-fields" }, ...fields.map((name) => h("div", {}, h("dt", {}, t(`field.${name}`)), h("dd", { class: "hash", dir: "ltr" }, payload[name]))));
}

function round(winner) {
  return h("strong", { class: `winner winner-${winner}` }, `${t(`round.${winner}`)}${winner === "tie" ? "" : ` ${t("round.wins")}`}`);
}

function details(payload, winner) {
  if (payload === null || payload === undefined) return null;
  if (typeof payload !== "object" || Array.isArray(payload)) return h("p", { class: "msg-text", dir: "auto" }, ...asText(payload));
  const hidden = new Set(["sent", "time", "room_id", winner && "winner"]);
  const fields = Object.entries(payload).filter(([name]) => !hidden.has(name)).slice(0, FIELDS);
  if (fields.length === 0) return null;
  return h("dl", { class: "event-fields" }, ...fields.map(([name, value]) =>
    h("div", {}, h("dt", {}, has(`round.${name}`) ? t(`round.${name}`) : name), h("dd", { dir: "auto" }, ...asText(value)))));
}

// ---- the outbox ----

/** An entry of the outbox: what is not stored yet. */
export function outboxNode(entry, { me, retry, discard }) {
  const { payload } = entry;
  return h(
    "article",
    { class: "msg mine outgoing", dataset: { testid: "outgoing", id: entry.id, status: entry.status } },
    avatar(me),
    h("div", { class: "msg-body" },
      bubble(payload, me.username),
      h("p", { class: "msg-status" }),
      h("p", { class: "msg-actions" },
        h("button", { type: "button", dataset: { testid: "retry" }, onclick: () => retry(entry.id) }, t("msg.retry")),
        h("button", { type: "button", dataset: { testid: "discard" }, onclick: () => discard(entry.id) }, t("msg.discard")))),
  );
}

/** Shows what became of entry; online is whether there is a connection to send it over. */
export function updateOutboxNode(node, entry, online) {
  node.dataset.status = entry.status;
  const text = statusText(entry, online);
  const status = node.querySelector(".msg-status");
  if (status.dataset.text === text) return;
  status.dataset.text = text;
  if (entry.status === "failed") status.setAttribute("role", "alert");
  else status.removeAttribute("role");
  status.replaceChildren(icon({ pending: "clock", sent: "check", failed: "close" }[entry.status]), text);
}

function statusText({ status, error }, online) {
  if (status === "sent") return t("msg.sent");
  if (status === "failed") return `${t(error.outcome === "unknown" ? "msg.unknown" : "msg.failed")} ${errorText(error)}`;
  return t(online ? "msg.pending" : "msg.offline");
}
