// The way in: a name and an avatar, or a token where guests are not admitted.

import { byID, h } from "./dom.js";
import { AVATARS, avatar } from "./avatars.js";
import { errorText, t } from "./i18n.js";

/** Shows the dialog until somebody has entered; then identity holds who that is. entered() is called each time. */
export class EntryView {
  #identity;
  #entered;
  #dialog = byID("entry");
  #byToken = false;

  constructor({ identity, entered }) {
    this.#identity = identity;
    this.#entered = entered;
    this.#fillAvatars();
    this.#dialog.addEventListener("cancel", (e) => e.preventDefault()); // there is nothing behind it to go back to
    byID("entry-form").addEventListener("submit", (e) => {
      e.preventDefault();
      this.#submit();
    });
  }

  open({ problem = "" } = {}) {
    byID("entry-name").value ||= this.#identity.defaults.username;
    this.#mode(this.#byToken);
    byID("entry-error").textContent = problem;
    if (!this.#dialog.open) this.#dialog.showModal();
    byID(this.#byToken ? "entry-token" : "entry-name").focus();
  }

  #fillAvatars() {
    const chosen = AVATARS.includes(this.#identity.defaults.avatar_id)
      ? this.#identity.defaults.avatar_id
      : AVATARS[Math.floor(Math.random() * AVATARS.length)];
    for (const id of AVATARS) {
      const radio = h("input", { type: "radio", name: "avatar", value: id, "aria-label": t(`avatar.${id}`) });
      radio.checked = id === chosen;
      byID("entry-avatars").append(
        h("label", { class: "avatar-option", dataset: { testid: "avatar-option", avatarId: id }, title: t(`avatar.${id}`) }, radio, avatar({ avatar_id: id }, "large")),
      );
    }
  }

  #mode(byToken) {
    this.#byToken = byToken;
    byID("entry-guest").hidden = byToken;
    byID("entry-bearer").hidden = !byToken;
    byID("entry-intro").textContent = t(byToken ? "entry.token.intro" : "entry.intro");
  }

  async #submit() {
    const value = byID(this.#byToken ? "entry-token" : "entry-name").value.trim();
    if (value === "") {
      this.#problem(t(this.#byToken ? "entry.token.missing" : "entry.name.missing"));
      return;
    }
    this.#busy(true);
    try {
      if (this.#byToken) await this.#identity.enterWithToken(value);
      else await this.#identity.enterAsGuest(value.normalize("NFC"), new FormData(byID("entry-form")).get("avatar"));
      byID("entry-token").value = "";
      this.#dialog.close();
      this.#entered();
    } catch (error) {
      this.#refused(error);
    } finally {
      this.#busy(false);
    }
  }

  #refused(error) {
    if (error.final && !this.#byToken) {
      this.#mode(true);
      byID("entry-token").focus();
      return;
    }
    this.#problem(error.final ? t("error.login") : errorText(error));
  }

  #problem(text) {
    byID("entry-error").textContent = text;
    byID(this.#byToken ? "entry-token" : "entry-name").focus();
  }

  #busy(busy) {
    const button = byID("entry-enter");
    button.disabled = busy;
    button.textContent = t(busy ? "entry.entering" : "entry.enter");
    if (busy) byID("entry-error").textContent = "";
  }
}
