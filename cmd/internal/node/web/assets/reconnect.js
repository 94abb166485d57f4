// Staying connected: the way in, what to do when the connection ends, when to try again. What is said over it is the
// business of connection.js.

import { backoff, isFinal } from "./protocol.js";
import { Link } from "./link.js";

const SETTLED_MS = 10_000; // a connection that lasted this long ends a series of failures
const DEFAULT_HEARTBEAT_S = 25;
const EXPLAIN_EVERY = 4; // refused handshakes: an outage is not the time for two requests each

/**
 * credentials: authorize() -> query parameters of a connection, or throws (with `final` when there is no way in);
 * renew() -> whether another try makes sense after a 401; explain(query) -> {status, code, message} of a refused
 * handshake, or null.
 *
 * owner:
 *   phase({state, retryAt, trying, code, reason})   state: connecting | connected | reconnecting | ended
 *   address(query)                                  adds the rooms to a connection's query
 *   received(event)
 *   down(code)                                      what was under way is lost; code is that of the close, or undefined
 *   stranger()                                      from now on this is somebody else: a new guest
 *   roomRefused()                                   a room keeps us out; whether to try again without asking for all
 */
export class Reconnector {
  // Fixed after construction.
  #base;
  #credentials;
  #owner;
  // Over all connections.
  #state = "ended";
  #attempt = 0;
  #refusals = 0; // handshakes in a row that did not succeed
  #wasConnected = false;
  // Of the present attempt; a higher generation makes what an older one still waits for void.
  #generation = 0;
  #link = null;
  #since = 0; // when the server said welcome; 0 before that
  #retryTimer = 0;
  #replaceAt = 0; // when the server wants this connection to be replaced
  #replaceTimer = 0;

  constructor({ base, credentials, owner }) {
    this.#base = base;
    this.#credentials = credentials;
    this.#owner = owner;
  }

  /** Connects, without regard to what failed before. */
  start() {
    this.#attempt = 0;
    this.#connect();
  }

  /** Ends the connection and everything it would still do. */
  stop() {
    this.#state = "ended";
    this.#drop();
  }

  /** The network is back or somebody looks at the page: try at once, or make sure that the connection lives. */
  wake() {
    if (this.#state === "ended") return;
    if (this.#retryTimer) this.#connect();
    else this.#link?.check();
  }

  send(event) {
    this.#link?.send(event);
  }

  /** The server said welcome. */
  established(heartbeatS) {
    this.#link.established(heartbeatS || DEFAULT_HEARTBEAT_S);
    this.#since = Date.now();
    this.#wasConnected = true;
    this.#refusals = 0;
    this.#phase("connected", {});
  }

  /** This node is going away: it said when to turn to another. */
  replaceIn(ms) {
    this.#replaceAt = Date.now() + ms;
    clearTimeout(this.#replaceTimer);
    this.#replaceTimer = setTimeout(() => this.start(), ms);
  }

  async #connect() {
    this.#drop();
    const generation = this.#generation;
    this.#phase(this.#wasConnected || this.#attempt > 0 ? "reconnecting" : "connecting", { trying: true });
    try {
      const query = new URLSearchParams(await this.#credentials.authorize());
      if (generation === this.#generation) this.#dial(query, generation);
    } catch (error) {
      if (generation !== this.#generation) return;
      const hopeful = error.status === 401 && await this.#renewed();
      if (generation !== this.#generation) return;
      if (error.final && !hopeful) this.#end(error.code, error.message);
      else this.#retryLater();
    }
  }

  #dial(query, generation) {
    this.#owner.address(query);
    this.#link = new Link({
      url: `${this.#base}?${query}`,
      received: (event) => this.#owner.received(event),
      down: ({ code, reason, admitted }) => {
        if (admitted) this.#lost(code, reason);
        else this.#notAdmitted(query, generation);
      },
    });
  }

  // A browser does not say why a handshake was refused; the same request without the upgrade does.
  async #notAdmitted(query, generation) {
    const ask = this.#refusals % EXPLAIN_EVERY === 0;
    this.#refusals += 1;
    const why = ask ? await this.#credentials.explain(query) : null;
    if (generation !== this.#generation) return;
    const known = why?.status === 401 || why?.code === "forbidden" || why?.code === "bad_room";
    if (!known) {
      this.#retryLater();
      return;
    }
    const hopeful = why.status === 401 ? await this.#renewed() : this.#owner.roomRefused();
    if (generation !== this.#generation) return;
    if (hopeful) this.#retryLater();
    else this.#end(why.status === 401 ? 4500 : 4501, why.message);
  }

  async #renewed() {
    const renewed = await this.#credentials.renew();
    if (renewed) this.#owner.stranger();
    return renewed;
  }

  #lost(code, reason) {
    if (isFinal(code)) {
      this.#end(code, reason);
      return;
    }
    const wait = this.#replaceAt > Date.now() ? this.#replaceAt - Date.now() : undefined;
    if (this.#since && Date.now() - this.#since > SETTLED_MS) this.#attempt = 0;
    this.#retryLater(wait, code);
  }

  #retryLater(wait = backoff(this.#attempt), code = undefined) {
    this.#drop(code);
    this.#attempt += 1;
    this.#retryTimer = setTimeout(() => this.#connect(), wait);
    this.#phase("reconnecting", { retryAt: Date.now() + wait });
  }

  #end(code, reason) {
    this.#drop(code);
    this.#phase("ended", { code, reason });
  }

  #drop(code) {
    this.#generation += 1;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#replaceTimer);
    this.#retryTimer = this.#since = this.#replaceAt = 0;
    this.#link?.close();
    this.#link = null;
    this.#owner.down(code);
  }

  #phase(state, details) {
    this.#state = state;
    this.#owner.phase({ state, ...details });
  }
}
