// Questions that wait for their one answer.

const ANSWER_MS = 20_000;

// These are answered by an event of their own; an ack for them settles nothing.
const ANSWERED_BY_EVENT = new Set(["get_history", "get_online_users", "get_rooms"]);

/** What a request is rejected with when there is no connection, or no longer. */
export const DISCONNECTED = Object.freeze({ code: "disconnected", message: "", retryable: true });

export class Requests {
  #waiting = new Map();

  /** Waits for the answer to id, or rejects with {code, message, retryable}. */
  wait(id, type) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id)?.reject({ ...DISCONNECTED, code: "unavailable" }), ANSWER_MS);
      this.#waiting.set(id, { type, resolve, reject, timer });
    });
  }

  /** The answer to id came. */
  answer(id, payload) {
    this.#settle(id)?.resolve(payload);
  }

  /** The ack for id came. */
  acked(id, payload) {
    const request = this.#waiting.get(id);
    if (request && !ANSWERED_BY_EVENT.has(request.type)) this.answer(id, payload);
  }

  /** Whether id was waiting; then it is rejected. */
  refuse(id, error) {
    const request = this.#settle(id);
    request?.reject(error);
    return request !== undefined;
  }

  /** The connection is gone, and every answer with it. */
  interrupted() {
    for (const id of [...this.#waiting.keys()]) this.refuse(id, DISCONNECTED);
  }

  #settle(id) {
    const request = this.#waiting.get(id);
    clearTimeout(request?.timer);
    this.#waiting.delete(id);
    return request;
  }
}
