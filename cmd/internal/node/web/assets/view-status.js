// How the connection is: a lamp that is always there, and a banner when it matters.

import { byID } from "./dom.js";
import { has, t } from "./i18n.js";

export class StatusView {
  #state;
  #ticker = 0;

  /** wake() connects now; signIn() asks who this is. */
  constructor({ state, wake, signIn }) {
    this.#state = state;
    byID("banner-button").addEventListener("click", () => {
      if (state.phase.state === "ended" && needsLogin(state.phase.code)) signIn();
      else wake();
    });
    state.on(["phase"], () => this.#render());
    this.#render();
  }

  #render() {
    const { phase } = this.#state;
    const element = byID("connection");
    element.dataset.state = phase.state;
    element.title = t(`phase.${phase.state}`);
    const text = t(`phase.${phase.state}`);
    if (byID("connection-text").textContent !== text) byID("connection-text").textContent = text; // it is announced
    const waiting = phase.state === "reconnecting" || (phase.state === "connecting" && phase.failed);
    byID("banner").hidden = !waiting && phase.state !== "ended";
    byID("banner").dataset.state = phase.state;
    clearInterval(this.#ticker);
    if (phase.state === "ended") this.#ended(phase);
    if (waiting) this.#reconnecting(phase);
  }

  #ended({ code, error }) {
    const refused = code === 4500 && this.#state.me.uid === ""; // it never was accepted, so it has not expired
    this.#say(refused ? t("error.login") : endText(code, error?.message));
    byID("banner-count").textContent = "";
    byID("banner-button").hidden = false;
    byID("banner-button").textContent = t(needsLogin(code) ? "banner.signin" : "banner.again");
  }

  // It is announced, so once is enough.
  #say(text) {
    if (byID("banner-text").textContent !== text) byID("banner-text").textContent = text;
  }

  #reconnecting({ state, retryAt }) {
    const trying = retryAt === undefined;
    this.#say(t(state === "reconnecting" ? "banner.lost" : "error.unreachable"));
    byID("banner-button").textContent = t("banner.now");
    const show = () => {
      const left = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
      byID("banner-count").textContent = trying ? t("banner.trying") : t("banner.in", { n: left });
    };
    byID("banner-button").hidden = trying;
    show();
    if (!trying) this.#ticker = setInterval(show, 250);
  }
}

// In words: what a close code means.
function endText(code, reason) {
  const text = has(`end.${code}`) ? t(`end.${code}`) : t("end.other", { code: String(code) });
  return code === 4501 && reason ? `${text} ${reason}` : text;
}

function needsLogin(code) {
  return code === 4500 || code === 4501;
}
