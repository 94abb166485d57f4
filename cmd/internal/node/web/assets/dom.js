// Making elements. Text only ever becomes a text node: there is no way from here to markup.

const SVG = "http://www.w3.org/2000/svg";

/** h("button", {class, dataset, onclick, title, "aria-label"}, "text", child, null): an element. */
export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "dataset") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const ICONS = {
  menu: "M4 7h16M4 12h16M4 17h10",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20c.4-3.6 3-5.5 6.5-5.5s6.1 1.9 6.5 5.5M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14.9c2 .7 3.2 2.4 3.5 5.1",
  close: "M6 6l12 12M18 6 6 18",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  broken: "M4 5h5l2 3-2 3 2 3-1 5H4zM13 19l1-5-2-3 2-3-1-3h7v14z",
  send: "M4 12 20 4l-5 16-3.5-6.5L4 12Zm7.5 1.5L20 4",
  plus: "M12 5v14M5 12h14",
  leave: "M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9",
  down: "M12 5v14m-6-6 6 6 6-6",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 7v5l3 2",
  check: "M5 13l4 4L19 7",
};

/** One of the page's line icons, for decoration. */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, svg("path", { d: ICONS[name] }));
}

/** The element with that id. */
export const byID = (id) => document.getElementById(id);

/**
 * A function that runs fn soon and at most once per frame, however often it is called. Frames stop in a tab that
 * nobody sees, so a timer stands by.
 */
export function eachFrame(fn) {
  let frame = 0;
  let timer = 0;
  const run = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    frame = timer = 0;
    fn();
  };
  return () => {
    if (frame) return;
    frame = requestAnimationFrame(run);
    timer = setTimeout(run, 200);
  };
}

/**
 * Makes the children of parent those that make(item) gives, in order, keeping those that are there: key(item) names
 * an item, update(node, item) refreshes a kept one.
 */
export function reconcile(parent, items, { key, make, update }) {
  const kept = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let next = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let node = kept.get(name);
    kept.delete(name);
    if (!node) {
      node = make(item);
      node.dataset.key = name;
    }
    update?.(node, item);
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  for (const node of kept.values()) node.remove();
}

/** Up, Down, Home and End move the focus among the elements that selector finds in container. */
export function arrowKeys(container, selector, onMove) {
  container.addEventListener("keydown", (e) => {
    const all = [...container.querySelectorAll(selector)];
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[e.key];
    if (to === undefined || at < 0) return;
    e.preventDefault();
    const target = all[Math.min(Math.max(to, 0), all.length - 1)];
    target.focus();
    onMove?.(target);
  });
}

/** Only one of the elements is a tab stop; the arrow keys reach the others. */
export function oneTabStop(elements, current) {
  const stop = elements.includes(current) ? current : elements[0];
  for (const element of elements) element.tabIndex = element === stop ? 0 : -1;
}
