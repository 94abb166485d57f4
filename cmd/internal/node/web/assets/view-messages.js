// The messages of the room or conversation on view: a window on its timeline that moves as one scrolls.

import { byID, eachFrame, h, icon, reconcile } from "./dom.js";
import { continues, dayLine, eventNode, newLine, outboxNode, sameDay, updateOutboxNode } from "./view-message.js";
import { keyOf } from "./timeline.js";
import { t } from "./i18n.js";

const WINDOW = 300; // the most events that are in the page
const STEP = 60; // how many more when the edge comes near
const NEAR = 400; // px to the edge
const NEW = "new"; // key of the line above what is new
const BEFORE = 30; // how many events are drawn before the line at least
const AT_END = 60; // px to the end within which new messages keep the view at the end

export class MessagesView {
  #state;
  #chat;
  #scroll = byID("log-scroll");
  #log = byID("log");
  // Of the target on view.
  #target = null;
  #first = 0; // seq of the first event drawn; 0: from the end
  #tail = true; // the newest event is drawn
  #follow = true; // new messages keep the view at the end
  #height = 0; // of the view
  #seenTo = 0; // the newest seq that was at hand when the view left the end
  #generation = -1;
  #reading = null; // the message at the top of the view, where one does not follow the end
  #openedAt = null; // the "new" line at which the view was opened
  #draw = eachFrame(() => this.#render());

  constructor({ state, chat }) {
    this.#state = state;
    this.#chat = chat;
    this.#scroll.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // A picture that arrives late, or a smaller window, must not push the newest message out of view.
    new ResizeObserver(() => this.#resized()).observe(this.#scroll);
    this.#scroll.addEventListener("load", () => this.#follow && this.#toEnd(), true);
    byID("earlier").addEventListener("click", () => this.#earlier());
    byID("write").addEventListener("keydown", (e) => this.#paged(e));
    byID("latest").addEventListener("click", () => this.toLatest());
    state.on(["log", "active", "me", "outbox", "people", "phase"], this.#draw);
    this.#draw();
  }

  /** Goes to the newest message and stays there. */
  toLatest() {
    this.#first = 0;
    this.#tail = true;
    this.#follow = true;
    this.#draw();
  }

  // ---- scrolling ----

  #resized() {
    this.#height = this.#scroll.clientHeight;
    if (this.#follow) this.#toEnd();
    else this.#keep(this.#reading); // lines break elsewhere in a window of another width
    this.#draw();
  }

  #scrolled() {
    const { scrollTop, clientHeight } = this.#scroll;
    if (clientHeight !== this.#height) return; // nobody has scrolled: the window has another size
    const toEnd = this.#beyondView();
    const follow = this.#tail && toEnd < AT_END;
    if (this.#follow && !follow) this.#seenTo = this.#newest();
    this.#follow = follow;
    this.#reading = this.#anchor();
    if (scrollTop < NEAR) this.#earlier();
    else if (!this.#tail && toEnd < NEAR) this.#later();
    this.#latestButton();
  }

  #newest() {
    return this.#target?.timeline.events.at(-1)?.seq ?? 0;
  }

  // Page up and down turn the messages while one writes, as a field of few lines has no use for them.
  #paged(e) {
    const pages = { PageUp: -1, PageDown: 1 }[e.key];
    if (!pages || e.shiftKey || e.target.scrollHeight > e.target.clientHeight) return;
    e.preventDefault();
    this.#scroll.scrollBy({ top: pages * 0.9 * this.#scroll.clientHeight });
  }

  // Either draws more of what is held or has more fetched.
  #earlier() {
    const events = this.#target?.timeline.events ?? [];
    const at = this.#start(events);
    if (at > 0) {
      this.#first = events[Math.max(0, at - STEP)].seq;
      this.#draw();
    } else if (this.#target?.timeline.more && this.#state.phase.state === "connected") {
      if (!this.#follow || events.length === 0) this.#first = events[0]?.seq ?? 0;
      this.#chat.earlier(this.#target);
    }
  }

  #later() {
    const events = this.#target.timeline.events;
    const at = this.#start(events);
    this.#first = events[Math.min(at + STEP, Math.max(0, events.length - 1))].seq;
    this.#draw();
  }

  // The index of the first event to draw.
  #start(events) {
    if (this.#first === 0) return Math.max(0, events.length - WINDOW);
    let low = 0;
    let high = events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (events[middle].seq < this.#first) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #toEnd() {
    if (this.#target) this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  // ---- drawing ----

  #render() {
    this.#retarget();
    const target = this.#target;
    const events = target?.timeline.events ?? [];
    const opening = this.#opensAtLine(events);
    if (this.#follow) this.#first = 0;
    if (this.#follow && target) this.#chat.trim(target);
    const start = this.#start(events);
    const shown = events.slice(start, start + WINDOW);
    this.#tail = start + WINDOW >= events.length;
    const anchor = this.#follow ? null : this.#anchor();
    this.#log.setAttribute("aria-busy", String(Boolean(target?.timeline.loading)));
    this.#drawEvents(shown, events[start - 1]);
    this.#drawOutbox();
    this.#drawEdges(target, events, start);
    if (opening) this.#toLine();
    else if (this.#follow) this.#toEnd();
    else this.#keep(anchor);
    this.#reading = this.#follow ? null : this.#anchor();
    this.#latestButton();
    this.#fillView(start);
  }

  // Where one has not read to the end, one goes on reading at the line above what is new.
  #opensAtLine(events) {
    const from = this.#target?.freshFrom ?? null;
    if (from === null || from === this.#openedAt || this.#height === 0) return false;
    this.#openedAt = from;
    const at = events.findIndex((e) => e.seq > from);
    if (!this.#follow || at < 0) return false;
    this.#follow = false;
    this.#first = events[Math.max(0, at - BEFORE)].seq;
    return true;
  }

  #toLine() {
    const line = this.#log.querySelector(`[data-key=${NEW}]`);
    this.#scroll.scrollTop += line.getBoundingClientRect().top - this.#scroll.getBoundingClientRect().top - this.#height / 4;
    this.#follow = this.#tail && this.#beyondView() < AT_END;
    this.#seenTo = this.#newest();
  }

  #beyondView() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    return scrollHeight - scrollTop - clientHeight;
  }

  // A page of short messages may leave the view half empty: then there is nothing to scroll, and no scrolling asks for more.
  #fillView(start) {
    const { scrollTop, clientHeight } = this.#scroll;
    const short = clientHeight > 0 && scrollTop < NEAR && (start === 0 || !this.#follow);
    if (short && this.#target && !this.#target.timeline.stalled && this.#target.timeline.events.length > 0) this.#earlier();
  }

  #retarget() {
    const { active } = this.#state;
    const generation = active?.timeline.generation ?? 0;
    if (active === this.#target && generation === this.#generation) return;
    this.#target = active;
    this.#generation = generation;
    this.#first = 0;
    this.#tail = this.#follow = true;
    this.#openedAt = this.#reading = null;
    this.#log.replaceChildren();
    if (!active) this.#scroll.scrollTop = 0; // the lobby is read from its top
  }

  // The first message in view: it is to stay where it is while others come and go around it. top is its distance from the
  // edge of the view.
  #anchor() {
    const edge = this.#scroll.getBoundingClientRect().top;
    for (const node of this.#log.children) {
      const { top, bottom } = node.getBoundingClientRect();
      if (bottom > edge && node.dataset.seq) return { node, top: top - edge };
    }
    return null;
  }

  #keep(anchor) {
    if (!anchor?.node.isConnected) return;
    this.#scroll.scrollTop += anchor.node.getBoundingClientRect().top - this.#scroll.getBoundingClientRect().top - anchor.top;
  }

  #drawEvents(shown, before) {
    const items = [];
    const newFrom = this.#target?.newFrom ?? Infinity;
    let previous = before;
    for (const event of shown) {
      const fresh = event.seq > newFrom && !(previous?.seq > newFrom);
      if (!sameDay(previous, event)) items.push({ key: `day-${keyOf(event)}`, line: () => dayLine(event) });
      if (fresh) items.push({ key: NEW, line: newLine });
      items.push({ key: keyOf(event), event, cont: !fresh && continues(previous, event) });
      previous = event;
    }
    const context = { me: this.#state.me, open: (uid) => this.#chat.talkTo(uid) };
    reconcile(this.#log, items, {
      key: (item) => item.key,
      make: (item) => (item.line ? item.line() : eventNode(item.event, context)),
      update: (node, item) => item.event && node.classList.toggle("cont", item.cont),
    });
  }

  #drawOutbox() {
    const target = this.#target;
    const entries = target && this.#tail ? this.#chat.outbox.visible(target.key) : [];
    reconcile(byID("pending"), entries, {
      key: (entry) => entry.id,
      make: (entry) => outboxNode(entry, { me: this.#state.me, retry: (id) => this.#decided(() => this.#chat.retry(id)), discard: (id) => this.#decided(() => this.#chat.discard(id)) }),
      update: (node, entry) => updateOutboxNode(node, entry, this.#state.phase.state === "connected"),
    });
  }

  // The buttons go when one of them was pressed; one goes on writing.
  #decided(act) {
    act();
    byID("write").focus();
  }

  #drawEdges(target, events, start) {
    const more = Boolean(target) && (start > 0 || target.timeline.more);
    const loading = Boolean(target?.timeline.loading);
    const empty = Boolean(target) && (target.joined ?? true) && events.length === 0 && byID("pending").childElementCount === 0 && !loading && !more;
    byID("earlier").hidden = !more;
    byID("earlier").textContent = t(loading ? "log.loading" : "log.earlier");
    byID("earlier").setAttribute("aria-disabled", String(loading)); // disabled it would lose the focus
    byID("log-begin").hidden = !target || more || empty;
    byID("log-begin").textContent = target?.reloaded && more ? "" : t("log.begin");
    byID("log-empty").hidden = !empty;
    if (empty) byID("log-empty").textContent = target.kind === "room" ? t("log.empty") : t("private.empty", { name: this.#state.person(target.uid).username });
    this.#reloadedLine(target);
  }

  #reloadedLine(target) {
    const line = byID("log-reloaded");
    if (!target?.reloaded) line?.remove();
    else if (!line) byID("log-top").append(h("p", { id: "log-reloaded", class: "reloaded", dataset: { testid: "reloaded" } }, t("log.reloaded")));
  }

  #latestButton() {
    const button = byID("latest");
    button.hidden = this.#follow || !this.#target;
    if (button.hidden) return;
    const fresh = this.#target.timeline.events.filter((e) => e.seq > this.#seenTo).length;
    const text = fresh > 0 ? t("log.new", { n: fresh }) : t("log.latest");
    if (button.dataset.text === text) return;
    button.dataset.text = text;
    button.replaceChildren(icon("down"), text);
  }
}
