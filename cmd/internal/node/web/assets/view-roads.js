// The bead plate and the big road, and the same in words.

import { byID, h, reconcile } from "./dom.js";
import { formatNumber, t } from "./i18n.js";
import { beadPlate, bigRoad, counts } from "./table-roads.js";

const LEAST_COLUMNS = { "bead-plate": 10, "big-road": 22 };
const READ = 10; // results that are read out

export class RoadsView {
  #drawn = ""; // what the roads show, so that they are drawn when a result comes and not for every bet

  draw({ name, table: { game: { shoe, results } } }) {
    const now = `${name}/${shoe}/${results.length}/${results.at(-1)?.round ?? ""}`;
    if (now === this.#drawn) return;
    this.#drawn = now;
    const sums = counts(results);
    byID("road-counts").replaceChildren(...Object.entries(sums).map(([winner, n]) => h("span", { class: `count-${winner}` }, h("b", {}, t(`bead.${winner}`)), ` ${formatNumber(n)}`)));
    const last = results.slice(-READ).reverse().map(({ winner }) => t(`spot.${winner}`)).join(t("comma"));
    byID("roads-text").textContent = results.length > 0 ? t("table.roads.text", { ...sums, ties: t("table.ties", { n: sums.tie }), last }) : t("table.roads.none");
    draw("bead-plate", beadPlate(results), (cell) => h("span", { class: `bead bead-${cell.winner}` }, t(`bead.${cell.winner}`)));
    draw("big-road", bigRoad(results), (cell) => h("span", { class: `ring ring-${cell.winner || "none"}` }, cell.ties > 0 && h("span", { class: `ties${cell.ties > 1 ? " many" : ""}` }, cell.ties > 1 ? formatNumber(cell.ties) : "")));
  }
}

function draw(id, cells, make) {
  const road = byID(id);
  const columns = Math.max(LEAST_COLUMNS[id], ...cells.map(({ col }) => col + 2));
  road.style.setProperty("--columns", String(columns));
  reconcile(road, cells, {
    key: ({ col, row, winner, ties, round }) => `${col}-${row}-${winner}-${ties ?? ""}-${round ?? ""}`,
    make: (cell) => {
      const node = make(cell);
      if (cell.player_pair) node.append(h("i", { class: "pair pair-player" }));
      if (cell.banker_pair) node.append(h("i", { class: "pair pair-banker" }));
      node.style.gridColumn = String(cell.col + 1);
      node.style.gridRow = String(cell.row + 1);
      node.dataset.col = String(cell.col);
      node.dataset.row = String(cell.row);
      return node;
    },
  });
  const last = Math.max(0, ...cells.map(({ col }) => col));
  road.parentElement.scrollLeft = ((last + 2) * road.scrollWidth) / columns - road.parentElement.clientWidth; // no further: the first results are to be seen as long as there is room
}
