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
  #target = null;

  /** sent() is called after each message: the view of the messages goes to the end. */
  constructor({ state, chat, sent }) {
    this.#state = state;
    this.#chat = chat;
    this.#sent = sent;
    byID("picture-open").append(icon("picture"));
    byID("picture-close").append(icon("close"));
    byID("send").append(icon("send"));
    this.#bind();
    window.addEventListener("resize", () => this.#grow()); // the same text takes more lines, or another size
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
      this.#written();
      if (this.#field.value.trim() !== "") this.#chat.typing();
    });
    byID("picture-open").addEventListener("click", () => this.#showPicture(byID("picture-row").hidden));
    byID("picture-close").addEventListener("click", () => this.#showPicture(false));
    this.#picture.addEventListener("keydown", (e) => {
      if (e.key !== "Escape") return;
      e.stopPropagation();
      this.#showPicture(false);
    });
    this.#picture.addEventListener("input", () => this.#written());
  }

  // Nothing is cut off in silence: what is too long says so, and stays as it is.
  #written() {
    this.#problem(this.#tooLong());
    if (this.#target) this.#chat.draft(this.#target, { text: this.#field.value, picture: this.#picture.value });
  }

  #tooLong() {
    const over = (field, most, key) => (field.value.trim().length > most ? t(key, { n: field.value.trim().length, most }) : "");
    return over(this.#field, MAX_TEXT, "write.long") || over(this.#picture, MAX_IMAGE_URL, "write.picture.long");
  }

  #showPicture(show) {
    byID("picture-row").hidden = !show;
    byID("picture-open").setAttribute("aria-expanded", String(show));
    if (!show) this.#picture.value = "";
    this.#written();
    (show ? this.#picture : this.#field).focus();
  }

  #submit() {
    const text = this.#field.value.trim();
    const picture = this.#picture.value.trim();
    if (this.#tooLong()) {
      this.#problem(this.#tooLong());
      return;
    }
    if (picture !== "" && imageURL(picture) === "") {
      this.#problem(t("write.picture.bad"));
      this.#picture.focus();
      return;
    }
    if ((text === "" && picture === "") || !this.#state.active) return;
    this.#chat.send(text, picture);
    this.#field.value = "";
    if (!byID("picture-row").hidden) this.#showPicture(false);
    this.#written();
    this.#grow();
    this.#sent();
  }

  #problem(text) {
    byID("composer-problem").textContent = text;
    this.#picture.setAttribute("aria-invalid", String(text !== "" && this.#picture.value !== ""));
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
    byID("composer").hidden = !active;
    byID("picture-open").hidden = Boolean(active?.table); // which takes none
    for (const control of byID("composer").elements) control.disabled = !active;
    if (active === this.#target) return;
    this.#target = active;
    this.#field.value = active?.draft.text ?? "";
    this.#picture.value = active?.draft.picture ?? "";
    byID("picture-row").hidden = this.#picture.value === "";
    byID("picture-open").setAttribute("aria-expanded", String(this.#picture.value !== ""));
    this.#problem(this.#tooLong());
    this.#grow();
  }
}
