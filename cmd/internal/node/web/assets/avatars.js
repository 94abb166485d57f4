// The avatars: drawn here, so that they look the same everywhere and need no font.

import { h, svg } from "./dom.js";

const DRAWINGS = {
  spade: ["M12 3.5c3.4 3.7 7 6.1 7 9.7a3.6 3.6 0 0 1-6.1 2.6c.2 2 .8 3.4 2.1 4.7H9c1.3-1.3 1.9-2.7 2.1-4.7A3.6 3.6 0 0 1 5 13.2c0-3.6 3.6-6 7-9.7Z"],
  heart: ["M12 20C7.2 16.2 4 13 4 9.3A4.3 4.3 0 0 1 8.3 5c1.6 0 2.9.8 3.7 2.1A4.4 4.4 0 0 1 15.7 5 4.3 4.3 0 0 1 20 9.3C20 13 16.8 16.2 12 20Z"],
  diamond: ["M12 3l6.8 9L12 21l-6.8-9Z"],
  club: ["M12 4a3.7 3.7 0 0 1 3 5.9 3.7 3.7 0 1 1-2.1 6c.2 1.8.8 3 2.1 4.3H9c1.3-1.3 1.9-2.5 2.1-4.3a3.7 3.7 0 1 1-2.1-6A3.7 3.7 0 0 1 12 4Z"],
  crown: ["M4 8l4 3.5L12 5l4 6.5L20 8l-1.7 8.5H5.7ZM5.7 18h12.6v1.7H5.7Z"],
  chip: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17Zm0 3.3a5.2 5.2 0 1 1 0 10.4 5.2 5.2 0 0 1 0-10.4Zm0 2a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4Z"],
  star: ["M12 3.5l2.6 5.5 6 .8-4.4 4.2 1.1 6L12 17.1 6.7 20l1.1-6-4.4-4.2 6-.8Z"],
  moon: ["M14.5 3.8a8.6 8.6 0 1 0 5.9 11.3 7 7 0 0 1-5.9-11.3Z"],
};

/** The avatars to choose from. */
export const AVATARS = Object.keys(DRAWINGS);

const HUES = 8;

function hue(text) {
  let sum = 0;
  for (const c of text) sum = (sum * 31 + c.codePointAt(0)) >>> 0;
  return sum % HUES;
}

/** A person's avatar; one that is not of this page is the first letter of the name. For decoration: the name is beside it. */
export function avatar({ uid = "", username = "", avatar_id = "" }, extra = "") {
  const drawing = Object.hasOwn(DRAWINGS, avatar_id) ? DRAWINGS[avatar_id] : null;
  const face = drawing
    ? svg("svg", { viewBox: "0 0 24 24", focusable: "false" }, ...drawing.map((d) => svg("path", { d, "fill-rule": "evenodd" })))
    : [...(username || uid || "?")][0].toUpperCase();
  const style = drawing ? `avatar-${avatar_id}` : `hue-${hue(username || uid)}`;
  return h("span", { class: `avatar ${style} ${extra}`, "aria-hidden": "true" }, face);
}
