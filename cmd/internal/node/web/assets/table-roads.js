// The roads: results as players write them down. Pure; rooms/baccarat/testdata/roads.json has what they must be.

/** How deep a road is. */
export const ROWS = 6;

/** The bead plate: every result in its order, down and then to the right: [{col, row, ...result}]. */
export function beadPlate(results) {
  return results.map((result, i) => ({ ...result, col: Math.floor(i / ROWS), row: i % ROWS }));
}

/**
 * The big road: a new column where the winner changes; a run goes down, and to the right from the sixth row or where
 * another run lies. A tie has no cell of its own and is counted on the last one; before any winner it opens the first
 * cell, which the first winner takes: [{col, row, winner, ties, player_pair, banker_pair}], winner "" of one that has only ties.
 */
export function bigRoad(results) {
  const cells = [];
  const taken = new Set();
  const free = (col, row) => !taken.has(`${col}/${row}`);
  let top = -1; // the column in which the present run began
  let turned = false; // it goes to the right
  for (const { winner, player_pair, banker_pair } of results) {
    const last = cells.at(-1);
    if (winner === "tie") {
      if (last) last.ties += 1;
      else place(0, 0, "");
      if (!last) cells[0].ties = 1;
      continue;
    }
    if (last?.winner === "") {
      Object.assign(last, { winner, player_pair, banker_pair });
    } else if (last?.winner !== winner) {
      do top += 1; while (!free(top, 0));
      turned = false;
      place(top, 0, winner);
    } else {
      turned ||= last.row + 1 === ROWS || !free(last.col, last.row + 1);
      let { col, row } = last;
      if (!turned) row += 1;
      else do col += 1; while (!free(col, row));
      place(col, row, winner);
    }
    Object.assign(cells.at(-1), { player_pair, banker_pair });
  }
  return cells;

  function place(col, row, winner) {
    if (row === 0 && top < 0) top = 0;
    taken.add(`${col}/${row}`);
    cells.push({ col, row, winner, ties: 0, player_pair: false, banker_pair: false });
  }
}

/** How often each side has won: {player, banker, tie}. */
export function counts(results) {
  const sums = { player: 0, banker: 0, tie: 0 };
  for (const { winner } of results) sums[winner] += 1;
  return sums;
}
