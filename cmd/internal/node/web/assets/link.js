// One WebSocket from the first try to its end: the handshake's time, and whether anybody is still there.

const HANDSHAKE_MS = 10_000; // until the first event
const DEAD_AFTER_MS = 10_000; // without an answer to a heartbeat
const WAKE_SILENCE_MS = 5000;
const TICK_MS = 1000;
const NO_GOODBYE = 1006; // as a browser says it

export class Link {
  #socket;
  #received;
  #down;
  #admitted = false;
  #handshake = 0;
  #ticker = 0;
  #heard = 0;
  #probed = 0;
  #heartbeatMS = 0;

  /**
   * Connects to url. received(event) is called for every event, down({code, reason, admitted}) once, at the end, and
   * nothing after close(); admitted is whether the handshake succeeded.
   */
  constructor({ url, received, down }) {
    this.#received = received;
    this.#down = down;
    this.#handshake = setTimeout(() => this.#end(NO_GOODBYE), HANDSHAKE_MS);
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => { this.#admitted = true; };
    this.#socket.onmessage = (e) => this.#hear(e.data);
    this.#socket.onclose = (e) => this.#end(e.code, e.reason);
  }

  /** The server has said who this is: from now on silence is suspicious. */
  established(heartbeatS) {
    clearTimeout(this.#handshake);
    this.#heartbeatMS = heartbeatS * 1000;
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  send(event) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(event));
  }

  /** Makes sure, soon, that somebody is there: after a phone's sleep, a change of network. */
  check() {
    if (this.#ticker && Date.now() - this.#heard > WAKE_SILENCE_MS) this.#probe();
  }

  close() {
    clearTimeout(this.#handshake);
    clearInterval(this.#ticker);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
  }

  #hear(text) {
    this.#heard = Date.now();
    this.#probed = 0;
    this.#received(JSON.parse(text));
  }

  // Not waiting for the socket's own end: on a dead network that takes minutes.
  #end(code, reason = "") {
    this.close();
    this.#down({ code, reason, admitted: this.#admitted });
  }

  #tick() {
    const now = Date.now();
    if (this.#probed && now - this.#probed > DEAD_AFTER_MS) this.#end(NO_GOODBYE);
    else if (now - this.#heard > this.#heartbeatMS * 1.5) this.#probe();
  }

  #probe() {
    if (this.#probed) return;
    this.#probed = Date.now();
    this.send({ type: "heartbeat" });
  }
}
