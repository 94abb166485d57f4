// Who this window is. A window is a person: its token lives in sessionStorage, so that two windows are two people and
// a reload is the same one. localStorage only remembers a name and an avatar to propose.

const WINDOW_KEY = "baccarat.window";
const DEFAULTS_KEY = "baccarat.defaults";
const TIMEOUT_MS = 10_000;

/** Why somebody could not enter: code and message for people; final when trying again is of no use. */
export class LoginError extends Error {
  constructor(code, message, { final = false, status = 0 } = {}) {
    super(message);
    this.code = code;
    this.final = final;
    this.status = status;
  }
}

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

async function post(path, { bearer, body }) {
  const headers = { "Content-Type": "application/json" };
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  let response;
  try {
    response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body ?? {}), signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    throw new LoginError("unreachable", "");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const { code = "internal", message = "" } = answer.error ?? {};
  throw new LoginError(code, message, { status: response.status, final: response.status === 401 || response.status === 403 });
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

  get isGuest() {
    return this.#window.kind === "guest";
  }

  get username() {
    return this.#window.username ?? "";
  }

  /** What a reload restores: {rooms, active, outbox}. */
  get saved() {
    return this.#window.saved ?? {};
  }

  save(saved) {
    if (!this.entered) return;
    this.#window.saved = saved;
    write(sessionStorage, WINDOW_KEY, this.#window);
  }

  /** Enters as a guest; throws LoginError (403 or 401: guests are not allowed here). */
  async enterAsGuest(username, avatar_id) {
    const answer = await post("/login", { body: { username, avatar_id } });
    if (typeof answer.token !== "string") throw new LoginError("forbidden", "", { status: 403, final: true });
    write(localStorage, DEFAULTS_KEY, { username, avatar_id });
    this.#keep({ kind: "guest", token: answer.token, username, avatar_id });
  }

  /** Enters with a JWT, after asking the server whether it accepts it. */
  async enterWithToken(token) {
    await post("/login", { bearer: token });
    this.adoptToken(token);
  }

  /** Takes a JWT that the page was opened with; the first connection shows whether it is good. */
  adoptToken(token) {
    this.#keep({ kind: "jwt", token });
  }

  #keep(fields) {
    this.#window = { ...fields, saved: this.#window.saved };
    write(sessionStorage, WINDOW_KEY, this.#window);
  }

  /** This window is nobody again; keepRooms leaves what it had open to whoever enters next. */
  forget({ keepRooms = false } = {}) {
    this.#window = keepRooms ? { saved: this.#window.saved } : {};
    write(sessionStorage, WINDOW_KEY, this.#window);
  }

  // ---- what the connection asks ----

  /** Query parameters for one connection. A token is exchanged for a ticket, so that it is in no URL. */
  async authorize() {
    const { otp, token } = await post("/login", { bearer: this.#window.token });
    if (this.isGuest && typeof token === "string") this.#keep({ ...this.#window, token }); // good for longer than the old one
    return { otp };
  }

  /** The server does not know this guest any more (its key is gone): become a new one of the same name. */
  async renew() {
    if (!this.isGuest) return false;
    try {
      await this.enterAsGuest(this.#window.username, this.#window.avatar_id);
      return true;
    } catch (error) {
      return !error.final;
    }
  }

  /** Why the handshake with query was refused, or null when the server cannot be asked. */
  async explain(query) {
    try {
      const response = await fetch(`/ws?${query}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
      const answer = await response.json().catch(() => ({}));
      return { status: response.status, code: answer.error?.code ?? "", message: answer.error?.message ?? "" };
    } catch {
      return null;
    }
  }
}
