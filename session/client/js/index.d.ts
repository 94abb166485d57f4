// Types of client.js. README.md says how to use it.

/** A person in a room; one entry however many connections it has. */
export interface User {
  uid: string;
  username: string;
  avatar_id: string;
}

/** A place in a room's log. Of another epoch than the log's present one it means nothing. */
export interface Position {
  epoch: string;
  seq: number;
}

/** The payload of send_message. One of message and image_url must say something. */
export interface SendMessage {
  message?: string;
  /** A guest's name; for a user with a token the server sets it. */
  from?: string;
  /** http or https. */
  image_url?: string;
}

/** The payload of new_message. */
export interface Message {
  message: string;
  from: string;
  /** RFC 3339 with nanoseconds. */
  sent: string;
  /** ms since 1970. */
  time: number;
  uid: string;
  username: string;
  avatar_id: string;
  image_url?: string;
  room_id?: string;
  /** Said by a guest, who chose its name. */
  guest?: true;
  /** Said by a program on the server's side. */
  service?: true;
}

/** The payload of private_message as one gets it, in the inbox: from or to us, look at uid. */
export interface PrivateMessage extends Message {
  to_uid: string;
}

/** The events that every server knows, by type. */
export interface BuiltInEvents {
  send_message: SendMessage;
  new_message: Message;
  /** As one sends it; a listener gets a PrivateMessage. */
  private_message: SendMessage & { to_uid: string };
  /** As sent, with who sent it. */
  signal: { uid?: string; from?: string; [key: string]: unknown };
}

/** What Events is unless it is given: every type, and what every server knows as it is. */
export interface AnyEvents extends BuiltInEvents {
  [type: string]: any;
}

/** The events that Events describes, then those that every server knows. */
export type EventsOf<Events> = Events & Omit<BuiltInEvents, keyof Events>;

/** What a listener gets beside the payload. */
export interface ServerEvent<Payload = unknown> {
  type: string;
  payload: Payload;
  room?: string;
  /** Its place in the room's log; rises within a room, not one by one. Absent for a signal. */
  seq?: number;
  id?: string;
  /** When the log stored it, ms since 1970. */
  at?: number;
  /** Of one of several events that a table decided at once, and that share a seq: its place among them, from 0, and how many they are. */
  index?: number;
  of?: number;
  /** RoomJoined's state holds it already, so that it is to be shown and not applied. */
  replayed?: true;
}

export type Listener<Payload> = (payload: Payload, event: ServerEvent<Payload>) => unknown;

/** The server's first word on each connection. */
export interface Welcome {
  client_id: string;
  uid: string;
  username: string;
  avatar_id: string;
  node: string;
  heartbeat_s: number;
  /** The server's clock, ms since 1970. */
  now?: number;
  /** Seconds until the credential ends; absent if it never does. */
  expires_in?: number;
}

/** The server's word that we are in a room. */
export interface RoomJoined {
  room_id: string;
  epoch: string;
  seq: number;
  recovered: boolean;
  replayed: number;
  count: number;
  list: User[];
  /** Of a table: what its rules show this user, of which the shape is theirs. */
  state?: any;
  /** The seq that state stands for; what comes with a lower one or with it is replayed. */
  state_seq?: number;
  /** The server's clock when it was told, ms since 1970. */
  now?: number;
  [more: string]: unknown;
}

/** Which rooms listRooms tells of. */
export interface RoomQuery {
  /** Only names that begin so, by bytes of UTF-8; at most 256 of them. */
  prefix?: string;
  /** The rooms behind those of another page: its next. */
  after?: string;
  /** At most so many; 100 unless told, and at most. */
  limit?: number;
}

/** A page of the rooms that one may enter: those with a label first, each of the two by name. */
export interface RoomPage<Label = unknown> {
  list: ListedRoom<Label>[];
  /** What to give as after for the next page; empty on the last one. */
  next: string;
  /** On the first page: tables at which to begin, also where nobody has been yet. */
  tables?: string[];
}

/** A room that somebody is in or was in a minute ago, or that has a label. */
export interface ListedRoom<Label = unknown> {
  name: string;
  /** How many people are there. */
  count: number;
  /** When the newest event was stored, ms since 1970; 0 if there is none, or it is not known. */
  at: number;
  /** What a program or service of the site says of it; absent if none does. */
  label?: Label;
}

/** The server's word that an event is stored. */
export interface Ack {
  id: string;
  room?: string;
  seq: number;
  /** It was stored before, under the same id. */
  duplicate: boolean;
}

/**
 * What became of what one asked for: refused: the server did not do it; unsent: it never left here; unknown: it was
 * written, and no answer came while it could be sent again: it may be stored or not.
 */
export type Outcome = "refused" | "unsent" | "unknown";

export class RoomError extends Error {
  constructor(outcome: Outcome, code: string, message: string);
  readonly outcome: Outcome;
  /**
   * The server's code (refused, by a table's rules, forbidden, not_member, bad_payload, …), removed when an operator took us out of the room, or one of
   * ours: closed, ended, left, queue_full, too_big, same_id, no_answer, new_uid.
   */
  readonly code: string;
}

export interface JoinOptions<Events = AnyEvents> {
  /** Replay the last so many events at the first join, at most 500. */
  last?: number;
  /** Go on from here, as from a position that a page has kept. */
  since?: Position;
  /** How many people members is to hold, of a larger room; 100 unless told, 0 for none. */
  members?: number;
  /** The log does not reach back to where we were: fetch what is shown anew, with history(). */
  onRefresh?: (room: Room<Events>) => unknown;
  /** Let in, also after each reconnect. */
  onJoined?: (payload: RoomJoined, room: Room<Events>) => unknown;
  /**
   * The server took us out (code removed) or does not let us in. This Room is over, and its listeners are gone; join()
   * tries again with a new one.
   */
  onLeft?: (reason: { code: string; message: string }, room: Room<Events>) => unknown;
  /** members, count or complete changed. */
  onMembers?: (room: Room<Events>) => unknown;
}

export interface Room<Events = AnyEvents> {
  readonly name: string;
  /**
   * Resolves when let in first; rejects with a RoomError when refused or left before, or when the client ends. After connect()
   * of a client that had ended it is a new promise.
   */
  readonly joined: Promise<RoomJoined>;
  /** Up to and with which event of the log listeners were told; null before the first join. */
  readonly position: Position | null;
  /** Who is here, as far as it is held: everybody, if complete. */
  readonly members: User[];
  /** How many are here. */
  readonly count: number;
  readonly complete: boolean;
  /** Listens to one type of event, or to all by "*". Returns what ends it. Presence is no event here: onMembers tells it. */
  on(type: "private_message", fn: Listener<PrivateMessage>): () => void;
  on<Type extends keyof EventsOf<Events> & string>(type: Type, fn: Listener<EventsOf<Events>[Type]>): () => void;
  on(type: "*", fn: Listener<any>): () => void;
  /** Resolves once the event is stored; rejects with a RoomError. Events of one room are stored in the order of the calls. */
  send<Type extends keyof EventsOf<Events> & string>(type: Type, payload: EventsOf<Events>[Type], options?: SendOptions): Promise<Ack>;
  /** Tells the others who are here now. Not stored; false: there was no connection, and it was dropped. */
  signal(payload: unknown): boolean;
  /** One page of the log, oldest first: the newest, or what is before a seq. At most 100 events; 50 unless told. */
  history(options?: { before?: number; limit?: number }): Promise<{ events: ServerEvent<any>[]; more: boolean }>;
  /** Has members hold this many, if there are. */
  loadMembers(limit: number): void;
  /** Nothing is delivered from now on. What was never written rejects as unsent. The inbox cannot be left. */
  leave(): void;
}

export interface SendOptions {
  /** Under which the server stores the event once, for 2 minutes; up to 128 bytes. Made up unless given. */
  id?: string;
}

export type State = "connecting" | "connected" | "reconnecting" | "ended";

export interface Status {
  state: State;
  welcome?: Welcome;
  /** ms until the next try, and the bound below which it was drawn. */
  delay?: number;
  bound?: number;
  /** Why. */
  error?: { message: string };
  /**
   * With ended: the close code by which the server ended it, such as 4503; 4500 too when the credential is not taken, 4501
   * when the handshake was refused for good or the token function threw an error that is final. Absent after close().
   */
  code?: number;
}

/** A ticket or a JWT; a string with two dots is taken for a JWT. The answer of POST /login is one as it is. */
export type Credential = string | { otp: string } | { token: string };

export interface Options<Events = AnyEvents> {
  /** wss://example.com/ws. A page may leave it out: then it is /ws of its own server. */
  url?: string | URL;
  /** Asked before every handshake; or one JWT, for which 4500 is the end. Without it one is a guest. */
  token?: string | ((context: { signal: AbortSignal }) => Credential | Promise<Credential>);
  /** Who a guest is. token is what guestToken was, to stay the same guest. */
  guest?: { username?: string; avatar_id?: string; token?: string };
  /** Where there is no global WebSocket. */
  WebSocket?: new (url: string) => any;
  /** The first wait before a reconnect is up to so many ms, doubled with each failure up to the other: 500 and 20000. */
  minBackoff?: number;
  maxBackoff?: number;
  /** The server's --max-message, in bytes: 16384. */
  maxMessage?: number;
  /** Of one's own inbox. It has no last, and members has no meaning: inbox.history() reads its last events. */
  inbox?: Omit<JoinOptions<Events>, "last" | "members">;
  onStatus?: (status: Status) => unknown;
  /** Gets what listeners throw, and what the server refuses of what nobody waits for; else reportError or the console. */
  onError?: (error: unknown) => unknown;
}

export interface Client<Events = AnyEvents> {
  readonly state: State;
  /** Resolves with the first welcome; rejects when the client ends before. A new promise after connect() of one that had ended. */
  readonly ready: Promise<Welcome>;
  /** Of the present connection; null while there is none. */
  readonly welcome: Welcome | null;
  /** The rooms we want to be in. */
  readonly rooms: Room<Events>[];
  /** One's own inbox, where private_message arrives. */
  readonly inbox: Room<Events>;
  /** How many events and requests wait for their answer. */
  readonly pending: number;
  /** Keep it to come back as the same guest. */
  readonly guestToken: string | undefined;
  /** The server's clock, ms since 1970. */
  now(): number;
  /**
   * Joins at the end of this turn; the room that is there already if one is. Register listeners before anything is
   * awaited: the replay comes as soon as the server answers. After close() what it returns is over: joined and send
   * reject, and nothing is heard. Of the names that begin with @ only @me may be joined, which is the inbox.
   */
  join(name: string, options?: JoinOptions<Events>): Room<Events>;
  /** Sends an event that belongs to no room, such as private_message. */
  send<Type extends keyof EventsOf<Events> & string>(type: Type, payload: EventsOf<Events>[Type], options?: SendOptions): Promise<Ack>;
  /** One page of the rooms of all nodes that one may enter, up to 2 s old. */
  listRooms<Label = unknown>(query?: RoomQuery): Promise<RoomPage<Label>>;
  /**
   * Asks what the server answers with an event of its own; resolves with that event's payload. Where payload.name is a room that
   * is being joined, it waits for that.
   */
  request<Answer = any>(type: string, payload?: unknown): Promise<Answer>;
  /** Listens to events that belong to no room: those that a handler of the server's program sends to this connection. */
  on(type: string, fn: Listener<any>): () => void;
  /** Connects at once, instead of at the next try or after the server had ended it. After close() it throws a RoomError. */
  connect(): void;
  /** Ends everything, for good. What waits rejects. */
  close(): void;
}

/** Connects to a server, and stays connected until close(). */
export function connect<Events = AnyEvents>(options?: Options<Events>): Client<Events>;
