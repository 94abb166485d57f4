// How the connection is: a lamp that is always there, and a banner when it matters.

import { byID } from "./dom.js";
import { has, t } from "./i18n.js";

export class StatusView {
  #state;
  #ticker = 0;

  /** wake() tries now; restart() connects again after the end; signIn() asks who this is. */
  constructor({ state, wake, restart, signIn }) {
    this.#state = state;
    byID("banner-button").addEventListener("click", () => {
      const { state: phase, code } = state.phase;
      if (phase !== "ended") wake();
      else if (needsLogin(code)) signIn();
      else restart();
    });
    state.on(["phase"], () => this.#render());
    this.#render();
  }

  #render() {
    const { phase } = this.#state;
    const element = byID("connection");
    element.dataset.state = phase.state;
    element.title = t(`phase.${phase.state}`);
    byID("connection-text").textContent = t(`phase.${phase.state}`);
    byID("banner").hidden = phase.state !== "reconnecting" && phase.state !== "ended";
    byID("banner").dataset.state = phase.state;
    clearInterval(this.#ticker);
    if (phase.state === "ended") this.#ended(phase);
    if (phase.state === "reconnecting") this.#reconnecting(phase);
  }

  #ended({ code, reason }) {
    this.#say(endText(code, reason));
    byID("banner-count").textContent = "";
    byID("banner-button").hidden = false;
    byID("banner-button").textContent = t(needsLogin(code) ? "banner.signin" : "banner.again");
  }

  // It is announced, so once is enough.
  #say(text) {
    if (byID("banner-text").textContent !== text) byID("banner-text").textContent = text;
  }

  #reconnecting({ retryAt, trying }) {
    this.#say(t("banner.lost"));
    byID("banner-button").textContent = t("banner.now");
    const show = () => {
      const left = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
      byID("banner-count").textContent = trying ? t("banner.trying") : t("banner.in", { n: left });
    };
    byID("banner-button").hidden = Boolean(trying);
    show();
    if (!trying) this.#ticker = setInterval(show, 250);
  }
}

// In words: what a close code means, or that /login refused.
function endText(code, reason) {
  if (typeof code === "string") return t("error.login");
  const text = has(`end.${code}`) ? t(`end.${code}`) : t("end.other", { code: String(code) });
  return code === 4501 && reason ? `${text} ${reason}` : text;
}

function needsLogin(code) {
  return code === 4500 || typeof code === "string"; // a string is the code of a refused /login
}
