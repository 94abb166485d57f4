// Puts the page together: who this is, the chat, the views, and what the browser tells.

import * as address from "./address.js";
import { byID } from "./dom.js";
import { Chat } from "./chat.js";
import { Directory } from "./directory.js";
import { keepFocus } from "./focus.js";
import { Identity } from "./identity.js";
import { State } from "./state.js";
import { t, translate } from "./i18n.js";
import { ChatView } from "./view-chat.js";
import { ComposerView } from "./view-composer.js";
import { DrawersView } from "./view-drawers.js";
import { EntryView } from "./view-entry.js";
import { LobbyView } from "./view-lobby.js";
import { MessagesView } from "./view-messages.js";
import { PeopleView } from "./view-people.js";
import { RoomsView } from "./view-rooms.js";
import { StatusView } from "./view-status.js";
import { TableView } from "./view-table.js";
import { announce } from "./view-announcer.js";
import { notify } from "./view-notices.js";

function main() {
  translate(document);
  const opened = address.open();
  const identity = new Identity();
  if (opened.token) identity.becomeHolder(opened.token);
  const state = new State();
  const chat = new Chat({ state, identity, notify, say: announce });
  const directory = new Directory({ state, chat, granted: () => identity.grantedRooms });

  // By a reload: nothing of one person stays in memory for the next.
  const signOut = (keepRooms) => {
    chat.stop();
    identity.forget({ keepRooms });
    if (!keepRooms) address.show(null, { replace: true });
    location.reload();
  };

  const drawers = new DrawersView();
  const chosen = () => drawers.close();
  const messages = new MessagesView({ state, chat });
  new ChatView({ state });
  new ComposerView({ state, chat, sent: () => messages.toLatest() });
  new RoomsView({ state, chat, find: (text) => directory.find(text), more: () => directory.more(), chosen });
  new LobbyView({ state, chat, name: () => drawers.show("rooms", byID("add-room-name")) });
  new PeopleView({ state, chat, chosen });
  new TableView({ state, chat });
  new StatusView({ state, wake: () => chat.wake(), signIn: () => signOut(true) });
  byID("signout").addEventListener("click", () => signOut(false));
  keepFocus(() => (byID("entry").open ? byID("entry-enter") : byID("log-scroll")));

  const begin = () => {
    byID("app").hidden = false;
    chat.open(opened);
    followAddress(state, chat);
    byID(state.active ? "write" : "log-scroll").focus();
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || byID("app").hidden) return;
    chat.read();
    directory.refresh();
  });
  if (identity.entered) {
    chat.connect().catch(() => {}); // the banner says so
    begin();
  } else {
    askWho({ identity, state, chat, begin });
  }
}

function askWho({ identity, state, chat, begin }) {
  const enter = async ({ token, ...guest }) => {
    if (token) identity.becomeHolder(token);
    else identity.becomeGuest(guest);
    try {
      await chat.connect();
    } catch (error) {
      if (error.code !== "closed") identity.forget({ keepRooms: true }); // else somebody tries again, as another
      throw { code: state.phase.code, message: error.message };
    }
  };
  const entry = new EntryView({ defaults: identity.defaults, enter, entered: begin });
  state.on(["phase"], () => {
    const { retryAt, error } = state.phase;
    if (retryAt !== undefined) entry.waiting(`${error.status ? error.message : t("error.unreachable")} ${t("entry.again")}`);
  });
  entry.open();
}

// What is on view goes into the address, and what comes into the address on view.
function followAddress(state, chat) {
  let shown = null; // nothing that one could go back to
  const show = () => {
    const there = shown !== null && state.target(shown.key) === shown && !shown.closed;
    address.show(state.active, { replace: !there });
    shown = state.active;
  };
  state.on(["active"], () => state.active !== shown && show());
  show();
  window.addEventListener("popstate", () => chat.go(address.onView()));
  window.addEventListener("hashchange", () => {
    if (location.hash.includes("token=")) location.reload(); // somebody else from now on
    else if (location.hash.includes("room=")) chat.go(address.open());
  });
}

main();
