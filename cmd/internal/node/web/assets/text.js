// Text as people write it, with its links as links.

import { h } from "./dom.js";
import { webURL } from "./protocol.js";

const LINK = /https?:\/\/[^\s<>"'`\u3000-\u303f\uff00-\uffef]+/gi;
const CLOSING = { ")": "(", "]": "[", "}": "{" };

/** A link that opens a tab of its own, which learns nothing of this one. */
export function link(href, attrs, ...children) {
  return h("a", { ...attrs, href, target: "_blank", rel: "noopener noreferrer nofollow", referrerpolicy: "no-referrer" }, ...children);
}

/** The parts of text, as what an element takes for children: strings and links. Together they say text and nothing else. */
export function withLinks(text) {
  const parts = [];
  let done = 0;
  for (const { 0: found, index } of text.matchAll(LINK)) {
    const address = trimmed(found);
    const url = webURL(address);
    if (!url) continue;
    parts.push(text.slice(done, index), link(url.href, { class: "msg-link", dir: "ltr", dataset: { testid: "link" } }, address));
    done = index + address.length;
  }
  return [...parts, text.slice(done)];
}

// Without what belongs to the sentence: a full stop, a bracket that was opened before the address.
function trimmed(address) {
  for (;;) {
    const end = address.at(-1);
    const opened = CLOSING[end];
    const unpaired = opened && address.split(end).length > address.split(opened).length;
    if (!unpaired && !/[.,:;!?*_~]/.test(end)) return address;
    address = address.slice(0, -1);
  }
}
