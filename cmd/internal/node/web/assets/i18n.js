// Every word of the page, twice; those of a table are in i18n-table.js. {x} is replaced by vars.x; "one" and "other" follow
// the number n.

import * as table from "./i18n-table.js";

const en = {
  ...table.en,
  "title": "Baccarat rooms",
  "brand": "Baccarat",
  "brand.sub": "live rooms",
  "skip": "Skip to the message field",
  "entry.title": "Take a seat",
  "entry.intro": "Choose how the others see you.",
  "entry.name": "Your name",
  "entry.avatar": "Your avatar",
  "entry.token": "Access token",
  "entry.token.intro": "Paste the token that your operator gave you.",
  "entry.token.only": "Guests are not admitted here. Paste the token that your operator gave you.",
  "entry.bytoken": "I have an access token",
  "entry.byname": "Enter as a guest",
  "entry.again": "Trying again …",
  "entry.name.long": "A name has at most {n} characters.",
  "entry.enter": "Enter",
  "entry.entering": "Entering …",
  "entry.name.missing": "Please write a name first.",
  "entry.token.missing": "Please paste a token first.",
  "avatar.spade": "Spade", "avatar.heart": "Heart", "avatar.diamond": "Diamond", "avatar.club": "Club",
  "avatar.crown": "Crown", "avatar.chip": "Chip", "avatar.star": "Star", "avatar.moon": "Moon",
  "phase.connecting": "Connecting",
  "phase.connected": "Connected",
  "phase.reconnecting": "Reconnecting",
  "phase.ended": "Disconnected",
  "banner.lost": "The connection is interrupted. What you write is sent as soon as it is back.",
  "banner.in": "Next try in {n} s",
  "banner.trying": "Trying …",
  "banner.now": "Try now",
  "banner.again": "Connect again",
  "banner.signin": "Sign in again",
  "end.4500": "Your login has expired.",
  "end.4501": "You may not enter here.",
  "end.4502": "You have connected somewhere else, and that session took over.",
  "end.4503": "An operator has removed you.",
  "end.4504": "You have sent too much too fast.",
  "end.4505": "The server did not understand this page.",
  "end.other": "The connection has ended ({code}).",
  "rooms": "Rooms",
  "rooms.yours": "Your rooms",
  "rooms.private": "Private",
  "rooms.tables": "Tables",
  "tables.sit": "Sit down at {room}",
  "rooms.all": "Other rooms",
  "rooms.none": "No other rooms yet. Name a new one above.",
  "rooms.more": "More rooms",
  "rooms.many": "There are more. Write how a name begins to find it.",
  "rooms.add": "Room name",
  "rooms.join": "Join",
  "rooms.join.named": "Join {room}",
  "rooms.leave.named": "Leave {room}",
  "rooms.close.named": "Close the conversation with {name}",
  "rooms.bad": "A room name has 1 to 64 characters and does not begin with @.",
  "rooms.open": "Show rooms",
  "unread": { one: "{n} unread message", other: "{n} unread messages" },
  "people": "People",
  "people.count": { one: "{n} person here", other: "{n} people here" },
  "people.find": "Find a person",
  "people.you": "you",
  "people.talk": "Write privately to {name}",
  "people.open": "Show people",
  "people.nobody": "Nobody of that name",
  "people.searching": "Searching …",
  "people.unsearched": "Nobody of that name among {n} people. There are more here than can be searched.",
  "close": "Close",
  "signout": "Sign out",
  "private.with": "Private conversation",
  "private.empty": "Only you and {name} can read this.",
  "log.label": "Messages in {room}",
  "log.empty": "Nothing has been said yet. Begin.",
  "log.begin": "This is where it begins",
  "log.earlier": "Earlier messages",
  "log.loading": "Loading …",
  "log.latest": "To the newest",
  "log.new": { one: "{n} new message", other: "{n} new messages" },
  "log.reloaded": "It was not possible to catch up message by message. These are the latest.",
  "log.fresh": "New",
  "log.today": "Today",
  "log.yesterday": "Yesterday",
  "msg.service": "table",
  "msg.service.hint": "Not from a person: the site itself says this",
  "msg.guest": "guest",
  "msg.guest.hint": "Has not signed in; anybody can choose this name",
  "msg.picture": "Picture from {name}",
  "msg.picture.open": "Opens in a new tab",
  "msg.picture.gone": "A picture from {name} that cannot be shown",
  "msg.unreadable": "A message that cannot be shown",
  "msg.pending": "Sending …",
  "msg.offline": "Sent when the connection is back",
  "msg.sent": "Stored",
  "msg.failed": "Not sent.",
  "msg.unknown": "Perhaps sent.",
  "msg.retry": "Send again",
  "msg.discard": "Discard",
  "write.room": "Write to {room}",
  "write.person": "Write to {name}",
  "write.none": "Join a room to write",
  "write.long": "{n} characters, and {most} are the most. Shorten it to send it.",
  "write.picture.long": "This address has {n} characters, and {most} are the most.",
  "write.send": "Send",
  "write.picture": "Add a picture by its address",
  "write.picture.url": "Address of a picture (https://…)",
  "write.picture.bad": "A picture needs an address that begins with http:// or https://.",
  "write.picture.remove": "Without a picture",
  "typing.one": "{a} is writing …",
  "typing.two": "{a} and {b} are writing …",
  "typing.many": "Several people are writing …",
  "lobby.title": "You are in no room",
  "lobby.refused": "You may not enter {room}",
  "lobby.choose": "These rooms are open to you:",
  "lobby.none": "There is no other room that is open to you now.",
  "lobby.name": "Name a room",
  "notice.left": "You are no longer in {room}.",
  "notice.join": "{room}: {reason}",
  "round.round": "Round", "round.banker": "Banker", "round.player": "Player", "round.tie": "Tie", "round.wins": "wins",
  "error.other": "{reason}",
  "error.forbidden": "That is not allowed.",
  "error.bad_room": "That is not a room name the server accepts.",
  "error.not_member": "You are not in that room.",
  "error.rate_limited": "Too many messages. Wait a moment.",
  "error.too_many_rooms": "You are in as many rooms as one person may be.",
  "error.busy": "The room is too busy. Try again in a moment.",
  "error.unavailable": "The message could not be stored.",
  "error.internal": "Something went wrong on the server.",
  "error.too_big": "The message is too long.",
  "error.queue_full": "Too much waits to be sent already.",
  "error.no_answer": "No answer came, so look whether it is there before you send it again.",
  "error.new_uid": "You came back as another guest, so look whether it is there.",
  "error.unreachable": "The server cannot be reached.",
  "error.login": "The server did not accept this login.",
};

const zh = {
  ...table.zh,
  "title": "百家樂聊天室",
  "brand": "百家樂",
  "brand.sub": "即時聊天室",
  "skip": "跳到訊息欄",
  "entry.title": "請入座",
  "entry.intro": "選擇別人看到的你。",
  "entry.name": "你的名字",
  "entry.avatar": "你的頭像",
  "entry.token": "存取權杖",
  "entry.token.intro": "請貼上營運人員給你的權杖。",
  "entry.token.only": "此處不開放訪客。請貼上營運人員給你的權杖。",
  "entry.bytoken": "我有存取權杖",
  "entry.byname": "以訪客身分進入",
  "entry.again": "正在重試…",
  "entry.name.long": "名字最多 {n} 個字元。",
  "entry.enter": "進入",
  "entry.entering": "進入中…",
  "entry.name.missing": "請先填寫名字。",
  "entry.token.missing": "請先貼上權杖。",
  "avatar.spade": "黑桃", "avatar.heart": "紅心", "avatar.diamond": "方塊", "avatar.club": "梅花",
  "avatar.crown": "皇冠", "avatar.chip": "籌碼", "avatar.star": "星星", "avatar.moon": "月亮",
  "phase.connecting": "連線中",
  "phase.connected": "已連線",
  "phase.reconnecting": "重新連線中",
  "phase.ended": "已中斷",
  "banner.lost": "連線中斷。你寫的訊息會在恢復後立即送出。",
  "banner.in": "{n} 秒後重試",
  "banner.trying": "嘗試中…",
  "banner.now": "立即重試",
  "banner.again": "重新連線",
  "banner.signin": "重新登入",
  "end.4500": "你的登入已過期。",
  "end.4501": "你無權進入此處。",
  "end.4502": "你已在其他地方連線，由該連線取代。",
  "end.4503": "你已被管理員移除。",
  "end.4504": "你傳送得太多太快。",
  "end.4505": "伺服器無法理解此頁面。",
  "end.other": "連線已結束（{code}）。",
  "rooms": "房間",
  "rooms.yours": "你的房間",
  "rooms.private": "私訊",
  "rooms.tables": "牌桌",
  "tables.sit": "入座 {room}",
  "rooms.all": "其他房間",
  "rooms.none": "目前沒有其他房間，可在上方建立。",
  "rooms.more": "更多房間",
  "rooms.many": "還有更多房間，輸入名稱開頭即可尋找。",
  "rooms.add": "房間名稱",
  "rooms.join": "加入",
  "rooms.join.named": "加入 {room}",
  "rooms.leave.named": "離開 {room}",
  "rooms.close.named": "關閉與 {name} 的對話",
  "rooms.bad": "房間名稱為 1 至 64 個字元，且不可以 @ 開頭。",
  "rooms.open": "顯示房間",
  "unread": { other: "{n} 則未讀訊息" },
  "people": "線上的人",
  "people.count": { other: "{n} 人在線上" },
  "people.find": "尋找某人",
  "people.you": "你",
  "people.talk": "傳私訊給 {name}",
  "people.open": "顯示線上的人",
  "people.nobody": "找不到這個名字",
  "people.searching": "尋找中…",
  "people.unsearched": "在 {n} 人中找不到這個名字；人數太多，無法全部搜尋。",
  "close": "關閉",
  "signout": "登出",
  "private.with": "私人對話",
  "private.empty": "只有你和 {name} 看得到這裡的訊息。",
  "log.label": "{room} 的訊息",
  "log.empty": "還沒有人說話，由你開始吧。",
  "log.begin": "對話從這裡開始",
  "log.earlier": "較早的訊息",
  "log.loading": "載入中…",
  "log.latest": "回到最新",
  "log.new": { other: "{n} 則新訊息" },
  "log.reloaded": "無法逐則補上離線期間的訊息。以下是最新內容。",
  "log.fresh": "新訊息",
  "log.today": "今天",
  "log.yesterday": "昨天",
  "msg.service": "牌桌",
  "msg.service.hint": "不是某個人說的，而是網站發出的訊息",
  "msg.guest": "訪客",
  "msg.guest.hint": "尚未登入，任何人都可以取這個名字",
  "msg.picture": "{name} 的圖片",
  "msg.picture.open": "在新分頁開啟",
  "msg.picture.gone": "{name} 的圖片無法顯示",
  "msg.unreadable": "無法顯示的訊息",
  "msg.pending": "傳送中…",
  "msg.offline": "恢復連線後送出",
  "msg.sent": "已儲存",
  "msg.failed": "未送出。",
  "msg.unknown": "可能已送出。",
  "msg.retry": "再傳一次",
  "msg.discard": "捨棄",
  "write.room": "傳訊息到 {room}",
  "write.person": "傳訊息給 {name}",
  "write.none": "加入房間後即可傳訊息",
  "write.long": "共 {n} 個字元，上限為 {most}。請縮短後再傳送。",
  "write.picture.long": "這個網址有 {n} 個字元，上限為 {most}。",
  "write.send": "傳送",
  "write.picture": "以網址加入圖片",
  "write.picture.url": "圖片網址（https://…）",
  "write.picture.bad": "圖片網址必須以 http:// 或 https:// 開頭。",
  "write.picture.remove": "不加圖片",
  "typing.one": "{a} 正在輸入…",
  "typing.two": "{a} 和 {b} 正在輸入…",
  "typing.many": "好幾個人正在輸入…",
  "lobby.title": "你不在任何房間",
  "lobby.refused": "你無權進入 {room}",
  "lobby.choose": "你可以進入這些房間：",
  "lobby.none": "目前沒有其他可進入的房間。",
  "lobby.name": "輸入房間名稱",
  "notice.left": "你已不在 {room}。",
  "notice.join": "{room}：{reason}",
  "round.round": "局", "round.banker": "莊", "round.player": "閒", "round.tie": "和", "round.wins": "勝",
  "error.other": "伺服器的說明：{reason}",
  "error.forbidden": "不允許這麼做。",
  "error.bad_room": "伺服器不接受這個房間名稱。",
  "error.not_member": "你不在那個房間。",
  "error.rate_limited": "訊息太多，請稍候。",
  "error.too_many_rooms": "你加入的房間已達上限。",
  "error.busy": "房間太忙，請稍後再試。",
  "error.unavailable": "訊息無法儲存。",
  "error.internal": "伺服器發生錯誤。",
  "error.too_big": "訊息太長。",
  "error.queue_full": "等待傳送的訊息太多了。",
  "error.no_answer": "沒有收到回覆，請先確認訊息是否已出現再重傳。",
  "error.new_uid": "你以另一個訪客身分回來，請確認訊息是否已出現。",
  "error.unreachable": "無法連上伺服器。",
  "error.login": "伺服器不接受這個登入。",
};

const chinese = (navigator.languages?.[0] ?? navigator.language ?? "en").toLowerCase().startsWith("zh");
const words = chinese ? zh : en;

/** The language of the page, as in <html lang>. */
export const LANG = chinese ? "zh-Hant" : "en";

const locale = chinese ? "zh-Hant-TW" : navigator.language || "en";
const plural = new Intl.PluralRules(LANG);
const number = new Intl.NumberFormat(locale);
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" });
const dayName = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });

/** Compares names the way people sort them. */
export const byName = new Intl.Collator(locale, { numeric: true, sensitivity: "base" }).compare;

/** The words for key. */
export function t(key, vars = {}) {
  let text = words[key] ?? key;
  if (typeof text === "object") text = text[plural.select(vars.n)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => (typeof vars[name] === "number" ? number.format(vars[name]) : String(vars[name] ?? "")));
}

/** Whether there are words for key. */
export const has = (key) => Object.hasOwn(words, key);

/** What an error {code, message} means for a person: our words for its code, else the server's sentence, which is in English. */
export function errorText({ code, message }) {
  if (has(`error.${code}`)) return t(`error.${code}`);
  return message ? t("error.other", { reason: message }) : t("error.internal");
}

export const formatNumber = (n) => number.format(n);
export const formatTime = (ms) => clock.format(ms);
export const formatFull = (ms) => full.format(ms);

/** A day as a heading: today, yesterday, or its name. */
export function formatDay(ms, now = Date.now()) {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  if (ms >= midnight) return t("log.today");
  const yesterday = new Date(midnight);
  yesterday.setDate(yesterday.getDate() - 1);
  return ms >= yesterday.getTime() ? t("log.yesterday") : dayName.format(ms);
}

/** Fills what the page's markup marks with data-i18n (text), data-i18n-label, data-i18n-title and data-i18n-placeholder. */
export function translate(root) {
  document.documentElement.lang = LANG;
  document.title = t("title");
  for (const el of root.querySelectorAll("[data-i18n]")) el.textContent = t(el.dataset.i18n);
  for (const el of root.querySelectorAll("[data-i18n-label]")) el.setAttribute("aria-label", t(el.dataset.i18nLabel));
  for (const el of root.querySelectorAll("[data-i18n-title]")) el.title = t(el.dataset.i18nTitle);
  for (const el of root.querySelectorAll("[data-i18n-placeholder]")) el.placeholder = t(el.dataset.i18nPlaceholder);
}
