// Where one writes: text, and a picture by its address.

import { byID, icon } from "./dom.js";
import { MAX_IMAGE_URL, MAX_TEXT, imageURL } from "./protocol.js";
import { t } from "./i18n.js";

export class ComposerView {
  #state;
  #chat;
  #sent;
  #field = byID("write");
  #picture = byID("picture");
  #drafts = new WeakMap(); // what was begun in each room or conversation
  #target = null;

  /** sent() is called after each message: the view of the messages goes to the end. */
  constructor({ state, chat, sent }) {
    this.#state = state;
    this.#chat = chat;
    this.#sent = sent;
    byID("picture-open").append(icon("picture"));
    byID("picture-close").append(icon("close"));
    byID("send").append(icon("send"));
    this.#field.maxLength = MAX_TEXT;
    this.#picture.maxLength = MAX_IMAGE_URL;
    this.#bind();
    state.on(["active", "rooms"], () => this.#render());
    this.#render();
  }

  #bind() {
    byID("composer").addEventListener("submit", (e) => {
      e.preventDefault();
      this.#submit();
    });
    this.#field.addEventListener("keydown", (e) => {
      // Enter also chooses a word in an input method (Chinese, Japanese): that one is not ours.
      if (e.key !== "Enter" || e.shiftKey || e.isComposing || e.keyCode === 229) return;
      e.preventDefault();
      this.#submit();
    });
    this.#field.addEventListener("keypress", (e) => e.key === "Enter" && !e.shiftKey && e.preventDefault()); // driven browsers send it all the same
    this.#field.addEventListener("input", () => {
      this.#grow();
      if (this.#field.value.trim() !== "") this.#chat.typing();
    });
    byID("picture-open").addEventListener("click", () => this.#showPicture(byID("picture-row").hidden));
    byID("picture-close").addEventListener("click", () => this.#showPicture(false));
    this.#picture.addEventListener("keydown", (e) => {
      if (e.key !== "Escape") return;
      e.stopPropagation();
      this.#showPicture(false);
    });
    this.#picture.addEventListener("input", () => this.#problem(""));
  }

  #showPicture(show) {
    byID("picture-row").hidden = !show;
    byID("picture-open").setAttribute("aria-expanded", String(show));
    this.#problem("");
    if (!show) this.#picture.value = "";
    (show ? this.#picture : this.#field).focus();
  }

  #submit() {
    const text = this.#field.value.trim();
    const picture = this.#picture.value.trim();
    if (picture !== "" && imageURL(picture) === "") {
      this.#problem(t("write.picture.bad"));
      this.#picture.focus();
      return;
    }
    if ((text === "" && picture === "") || !this.#state.active) return;
    this.#chat.send(text, picture);
    this.#field.value = "";
    if (!byID("picture-row").hidden) this.#showPicture(false);
    this.#grow();
    this.#sent();
  }

  #problem(text) {
    byID("composer-problem").textContent = text;
    this.#picture.setAttribute("aria-invalid", String(text !== ""));
  }

  #grow() {
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }

  #render() {
    const { active } = this.#state;
    const name = active?.kind === "private" ? this.#state.person(active.uid).username : active?.name;
    const label = active ? t(active.kind === "private" ? "write.person" : "write.room", active.kind === "private" ? { name } : { room: name }) : t("write.none");
    this.#field.placeholder = label;
    this.#field.setAttribute("aria-label", label);
    for (const control of byID("composer").elements) control.disabled = !active;
    if (active === this.#target) return;
    if (this.#target) this.#drafts.set(this.#target, this.#field.value);
    this.#target = active;
    this.#field.value = (active && this.#drafts.get(active)) ?? "";
    this.#grow();
  }
}
