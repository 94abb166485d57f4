// The way in: a name and an avatar, or a token. Where guests are not admitted, only a token.

import { byID, h } from "./dom.js";
import { AVATARS, avatar } from "./avatars.js";
import { MAX_NAME } from "./protocol.js";
import { t } from "./i18n.js";

const LOGIN_REFUSED = 4500; // the close code that says the same

/** Shows the dialog until somebody has entered. */
export class EntryView {
  #enter;
  #entered;
  #dialog = byID("entry");
  #byToken = false;
  #tries = 0;

  /**
   * defaults is what to propose. enter({username, avatar_id} or {token}) resolves when the server has let us in and
   * rejects with {code, message} when it does not; entered() is called once it has.
   */
  constructor({ defaults, enter, entered }) {
    this.#enter = enter;
    this.#entered = entered;
    byID("entry-name").value = defaults.username;
    this.#fillAvatars(defaults.avatar_id);
    this.#dialog.addEventListener("cancel", (e) => e.preventDefault()); // there is nothing behind it to go back to
    byID("entry-form").addEventListener("submit", (e) => {
      e.preventDefault();
      this.#submit();
    });
    byID("entry-switch").addEventListener("click", () => this.#mode(!this.#byToken, t("entry.token.intro")));
  }

  open() {
    this.#dialog.showModal();
    this.#mode(false);
  }

  /** Says why it takes so long. */
  waiting(problem) {
    if (this.#dialog.open) byID("entry-error").textContent = problem;
  }

  #fillAvatars(proposed) {
    const chosen = AVATARS.includes(proposed) ? proposed : AVATARS[Math.floor(Math.random() * AVATARS.length)];
    for (const id of AVATARS) {
      const radio = h("input", { type: "radio", name: "avatar", value: id, "aria-label": t(`avatar.${id}`) });
      radio.checked = id === chosen;
      byID("entry-avatars").append(
        h("label", { class: "avatar-option", dataset: { testid: "avatar-option", avatarId: id }, title: t(`avatar.${id}`) }, radio, avatar({ avatar_id: id }, "large")),
      );
    }
  }

  #mode(byToken, intro) {
    this.#byToken = byToken;
    byID("entry-guest").hidden = byToken;
    byID("entry-bearer").hidden = !byToken;
    byID("entry-intro").textContent = byToken ? intro : t("entry.intro");
    byID("entry-switch").textContent = t(byToken ? "entry.byname" : "entry.bytoken");
    this.#problem("");
  }

  async #submit() {
    const value = byID(this.#byToken ? "entry-token" : "entry-name").value.trim();
    if (value === "") this.#problem(t(this.#byToken ? "entry.token.missing" : "entry.name.missing"));
    else if (!this.#byToken && value.length > MAX_NAME) this.#problem(t("entry.name.long", { n: MAX_NAME }));
    else await this.#try(this.#byToken ? { token: value } : { username: value.normalize("NFC"), avatar_id: new FormData(byID("entry-form")).get("avatar") });
  }

  // The button stays alive: while the server cannot be reached somebody may want to try as another.
  async #try(who) {
    this.#tries += 1;
    const mine = this.#tries;
    this.#busy(true);
    try {
      await this.#enter(who);
      byID("entry-token").value = "";
      this.#dialog.close();
      this.#entered();
    } catch (error) {
      if (mine === this.#tries) this.#refused(error);
    }
    if (mine === this.#tries) this.#busy(false);
  }

  #refused({ code, message }) {
    if (code === LOGIN_REFUSED && !this.#byToken) {
      this.#mode(true, t("entry.token.only"));
      byID("entry-switch").hidden = true;
    } else {
      this.#problem(code === LOGIN_REFUSED ? t("error.login") : message);
    }
  }

  #problem(text) {
    byID("entry-error").textContent = text;
    byID(this.#byToken ? "entry-token" : "entry-name").focus();
  }

  #busy(busy) {
    byID("entry-enter").textContent = t(busy ? "entry.entering" : "entry.enter");
    byID("entry-form").setAttribute("aria-busy", String(busy));
    if (busy) byID("entry-error").textContent = "";
  }
}
