// What stands where the messages would, while no room is on view: why, and which rooms there are to enter.

import { byID, eachFrame, h, reconcile } from "./dom.js";
import { errorText, t } from "./i18n.js";
import { labelRoad, labelText } from "./view-rooms.js";

const OFFERED = 12;

export class LobbyView {
  #state;
  #chat;

  /** name() is called when somebody wants to write a room's name. */
  constructor({ state, chat, name }) {
    this.#state = state;
    this.#chat = chat;
    byID("lobby-name").addEventListener("click", name);
    const draw = eachFrame(() => this.#render());
    state.on(["active", "rooms", "directory", "phase"], draw);
    draw();
  }

  #render() {
    const { active, phase, refused } = this.#state;
    const show = active === null && phase.state === "connected";
    byID("lobby").hidden = !show;
    if (!show) return;
    const offered = [...this.#state.otherTables(), ...this.#state.otherRooms()].filter(([name]) => name !== refused?.room).slice(0, OFFERED);
    byID("lobby-title").textContent = refused?.code === "forbidden" ? t("lobby.refused", { room: refused.room }) : t("lobby.title");
    const why = refused && refused.code !== "forbidden" ? `${errorText(refused)} ` : "";
    byID("lobby-text").textContent = why + t(offered.length > 0 ? "lobby.choose" : "lobby.none");
    reconcile(byID("lobby-rooms"), offered, {
      key: ([name]) => name,
      make: ([name]) => this.#room(name),
      update: (node, [, { count, label }]) => {
        node.querySelector(".lobby-label").replaceChildren(labelText(label), ...labelRoad(label));
        node.querySelector(".lobby-count").textContent = count ? t("people.count", { n: count }) : "";
      },
    });
  }

  #room(name) {
    const enter = () => {
      this.#chat.join(name);
      byID("log-scroll").focus();
    };
    return h("li", {}, h("button", { type: "button", class: "lobby-room", dataset: { testid: "lobby-room", room: name }, onclick: enter },
      h("bdi", {}, name), h("span", { class: "lobby-label quiet", dir: "auto" }), h("span", { class: "lobby-count quiet" })));
  }
}
