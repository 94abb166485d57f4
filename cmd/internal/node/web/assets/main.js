// Puts the page together: who this is, the chat, the views, and what the browser tells.

import { byID } from "./dom.js";
import { Chat } from "./chat.js";
import { Directory } from "./directory.js";
import { Identity } from "./identity.js";
import { State } from "./state.js";
import { roomName } from "./protocol.js";
import { t, translate } from "./i18n.js";
import { ChatView } from "./view-chat.js";
import { ComposerView } from "./view-composer.js";
import { DrawersView } from "./view-drawers.js";
import { EntryView } from "./view-entry.js";
import { MessagesView } from "./view-messages.js";
import { PeopleView } from "./view-people.js";
import { RoomsView } from "./view-rooms.js";
import { StatusView } from "./view-status.js";
import { notify } from "./view-notices.js";

// #token=…&room=…: used once and taken out of the address, so that it is in no bookmark and no history.
function fromAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const found = { token: given.get("token") ?? "", room: roomName(given.get("room")) };
  if (found.token || found.room) history.replaceState(null, "", location.pathname + location.search);
  return found;
}

function main() {
  translate(document);
  const identity = new Identity();
  let address = fromAddress();
  if (address.token) identity.adoptToken(address.token);

  const state = new State();
  const base = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
  const chat = new Chat({ state, identity, base, notify });

  const begin = () => {
    byID("app").hidden = false;
    chat.start(address.room);
    byID("write").focus();
  };
  const entry = new EntryView({ identity, entered: begin });
  // By a reload: nothing of one person stays in memory for the next.
  const signOut = (keepRooms) => {
    chat.stop();
    identity.forget({ keepRooms });
    location.reload();
  };

  const drawers = new DrawersView();
  const chosen = () => drawers.close();
  const messages = new MessagesView({ state, chat });
  new ChatView({ state });
  new ComposerView({ state, chat, sent: () => messages.toLatest() });
  new RoomsView({ state, chat, notify, chosen });
  new PeopleView({ state, chat, chosen });
  new StatusView({ state, wake: () => chat.wake(), restart: () => chat.restart(), signIn: () => signOut(true) });
  const directory = new Directory(state, (after, limit) => chat.lobby(after, limit));

  byID("signout").addEventListener("click", () => signOut(false));
  window.addEventListener("hashchange", () => {
    address = fromAddress();
    if (address.token) {
      identity.adoptToken(address.token);
      location.reload();
    } else if (address.room && identity.entered) {
      chat.join(address.room);
    }
  });
  window.addEventListener("online", () => chat.wake());
  window.addEventListener("pageshow", (e) => e.persisted && chat.wake());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    chat.wake();
    chat.read();
    directory.refresh();
  });
  state.on(["phase"], () => state.phase.state === "connected" && directory.refresh());
  directory.start();

  if (identity.entered) begin();
  else entry.open();
}

main();
