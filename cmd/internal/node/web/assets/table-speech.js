// What is said to who does not see the table: one sentence per card and result, and nothing for others' bets.

import { formatNumber, t } from "./i18n.js";
import { points } from "./table-state.js";

/** A card in words: "ten of diamonds". */
export const cardName = (card) => t("card", { rank: t(`rank.${card[0]}`), suit: t(`suit.${card[1]}`) });

/** What event means, once it is applied to game; "": nothing that is to be said. */
export function sentence({ type, payload }, game, me) {
  return says[type]?.(payload, game, me) ?? "";
}

const says = {
  round_opened: ({ round }) => t("say.opened", { round }),
  betting_extended: () => t("table.extended"),
  betting_closed: () => t("table.closed"),
  card_dealt: ({ to, card }, game) => t("say.card", { to: t(`spot.${to}`), card: cardName(card), points: points(game[to]) }),
  round_settled: (payload, { settled }) => [resultText(settled), gainText(settled)].filter(Boolean).join(t("space")),
  round_voided: ({ round, reason }) => t("table.voided", { round, reason }),
  bet_placed: ({ uid, on, amount, stack }, game, me) => (uid === me ? t("say.bet", { on: t(`spot.${on}`), amount, stack }) : ""),
  bets_cleared: ({ uid, stack }, game, me) => (uid === me ? t("say.cleared", { stack }) : ""),
  refilled: ({ uid, stack }, game, me) => (uid === me ? t("say.refilled", { stack }) : ""),
  paused: ({ reason }) => t("table.paused", { reason }),
  resumed: () => t("say.resumed"),
  shoe_started: ({ shoe }) => t("event.shoe_started", { shoe }),
};

/** How a round ended: "Banker wins, 7 to 4. Player pair." */
export function resultText({ winner, player_pair, banker_pair, points: [player, banker] }) {
  const won = winner === "tie" ? t("table.tie", { n: player }) : t(`table.wins.${winner}`, { high: Math.max(player, banker), low: Math.min(player, banker) });
  return [won, player_pair && t("table.pair.player"), banker_pair && t("table.pair.banker")].filter(Boolean).join(t("space"));
}

/** What it brought me; "" if I had no bets. */
export function gainText({ staked, paid, mine }) {
  if (staked === 0) return "";
  if (paid === staked) return t(mine.every((each) => each.paid === each.amount) ? "table.even" : "table.balanced");
  return paid > staked ? t("table.won", { n: paid - staked }) : t("table.lost", { n: staked - paid });
}

/** A gain with its sign. */
export const signed = (n) => (n > 0 ? `+${formatNumber(n)}` : n < 0 ? `−${formatNumber(-n)}` : "±0");
