// Who this window is, and what it had open. A window is a person: all of it lives in sessionStorage, so that two windows
// are two people and a reload is the same one. localStorage only remembers a name and an avatar to propose.

const WINDOW_KEY = "baccarat.window";
const DEFAULTS_KEY = "baccarat.defaults";

function read(storage, key) {
  try {
    return JSON.parse(storage.getItem(key)) ?? {};
  } catch {
    return {}; // storage is off, or what is in it is not ours: begin anew
  }
}

function write(storage, key, value) {
  try {
    storage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is off or full: the page works, a reload asks for the name again.
  }
}

export class Identity {
  #window = read(sessionStorage, WINDOW_KEY);

  /** What to propose: {username, avatar_id}. */
  get defaults() {
    const { username = "", avatar_id = "" } = read(localStorage, DEFAULTS_KEY);
    return { username, avatar_id };
  }

  /** Whether this window has entered before (a reload) or was given a token. */
  get entered() {
    return typeof this.#window.token === "string";
  }

  get username() {
    return this.#window.username ?? "";
  }

  /** What the client is to connect with. */
  get credentials() {
    const { kind, token, username, avatar_id } = this.#window;
    return kind === "jwt" ? { token } : { guest: { username, avatar_id, token } };
  }

  /** The rooms that the token names; those that it grants by a prefix are not among them. */
  get grantedRooms() {
    const { kind, token } = this.#window;
    const names = kind === "jwt" ? claims(token).rooms : [];
    return Array.isArray(names) ? names.filter((name) => typeof name === "string" && !name.endsWith("*")) : [];
  }

  /** What a reload restores. */
  get saved() {
    return this.#window.saved ?? {};
  }

  save(saved) {
    if (!this.entered) return;
    this.#window.saved = saved;
    write(sessionStorage, WINDOW_KEY, this.#window);
  }

  /** This window is a guest of that name. It has entered once keepGuest has its token. */
  becomeGuest({ username, avatar_id }) {
    write(localStorage, DEFAULTS_KEY, { username, avatar_id });
    this.#window = { kind: "guest", username, avatar_id, saved: this.#window.saved };
  }

  /** The guest's token that the server gave, which is good for longer than the one before. */
  keepGuest(token) {
    if (this.#window.kind === "guest" && token) this.#keep({ ...this.#window, token });
  }

  /** This window is whom a JWT says. */
  becomeHolder(token) {
    this.#keep({ kind: "jwt", token, saved: this.#window.saved });
  }

  #keep(window) {
    this.#window = window;
    write(sessionStorage, WINDOW_KEY, window);
  }

  /** This window is nobody again; keepRooms leaves what it had open to whoever enters next. */
  forget({ keepRooms = false } = {}) {
    this.#keep(keepRooms ? { saved: this.#window.saved } : {});
  }
}

// What a JWT says of itself. The server decides whether that is true; here it only proposes.
function claims(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) ?? {};
  } catch {
    return {}; // no JWT: the server says so
  }
}
