package node

// roomHelp says what each counter of rooms.Stats counts. A test asks for every
// field.
var roomHelp = map[string]string{
	"Published":          "Events that the log acknowledged.",
	"PublishRetries":     "Publishes sent again under the same id.",
	"PublishRefused":     "Publishes that the log answered with an error.",
	"PublishBusy":        "Publishes refused because too many had no ack.",
	"PublishUnavailable": "Publishes given up on.",
	"Opened":             "Rooms that were opened, inboxes included.",
	"Events":             "Events taken from the log, once per room.",
	"Deliveries":         "Messages handed to members.",
	"Bursts":             "Bursts of messages handed to members.",
	"Replayed":           "Events replayed to joiners.",
	"Signals":            "Signals delivered to rooms.",
	"Repairs":            "Gaps that were read from the log.",
	"Resets":             "Gaps that the log no longer fills; members were told to refresh.",
	"HeldDropped":        "Live copies dropped while a room read the log; read again from there.",
	"LiveFull":           "Live copies that found a room's mailbox full; read again from the log.",
	"SlowConsumer":       "Times that nats.go dropped live copies; read again from the log.",
	"SignalFull":         "Signals lost because a room's mailbox was full.",
	"JoinBusy":           "Requests refused because a room's mailbox was full.",
	"RingsCut":           "Times that a room's cached events were evicted because all rooms together exceeded their memory budget.",
	"ReplayCut":          "Joins that missed more than can be replayed; told to refresh.",
	"HistoryCut":         "Pages of history that were shorter than requested, because of their bytes.",
	"Dropped":            "Members that a room dropped because they could not take more.",
	"Rejected":           "Injected events that were not valid.",
	"NotSigned":          "Times that an event or signal was read with a Roomd-By header that no node has made; shown as a service's.",
	"Forged":             "Messages on a log subject that did not come from the log; ignored.",
	"PeersLost":          "Nodes whose heartbeats stopped, and that were removed with their members.",
	"PresenceFull":       "Presence updates of other nodes lost because a room's mailbox was full; requested again.",
	"Unready":            "Times that the log stopped accepting events.",
	"ProbesFailed":       "Failed health checks of the log.",
	"Panics":             "Panics in a room's code, and in a program's Kicked and EndUser.",
	"FeedTold":           "Events of the feed that were published.",
	"FeedDropped":        "Events of the feed that were not published, because too many waited or NATS was unreachable; followers see the gap.",
	"LobbyGathered":      "Times that the rooms of all nodes were gathered, for the lobby or the API.",
	"LobbyLate":          "Times that a node did not report its rooms in time for the lobby; its last report is shown.",
	"LabelsSet":          "Labels of rooms that this node has stored.",
	"LabelsRefused":      "Labels that services sent and that were not valid, too many, or could not be stored.",
	"UsersWritten":       "Users stored as seen, so that private messages may be sent to them.",
	"UsersUnwritten":     "Users who could not be stored as seen; retried while they are connected.",
	"UsersLookedUp":      "Lookups of users whom this node had not seen.",
	"HistoryLimits":      "Times that the number of events that each room, or each inbox, keeps was changed because of its log's size.",
	"UsersUnknown":       "Private messages refused because their receiver was never seen.",
}

// sessionHelp says what each counter of session.Stats counts.
var sessionHelp = map[string]string{
	"Connected":           "Connections accepted.",
	"Deflating":           "Connections accepted that negotiated compression.",
	"Received":            "Events from clients.",
	"Frames":              "Messages written to clients.",
	"Bytes":               "Bytes written to clients.",
	"Writes":              "System calls that wrote to clients.",
	"RefusedCapacity":     "Connections refused with 503.",
	"RefusedRate":         "Connections refused with 429.",
	"RefusedLogin":        "Connections refused with 401.",
	"RefusedOrigin":       "Connections refused because of their origin, with 403.",
	"RefusedRoom":         "Connections refused because of their room, with 400 or 403.",
	"RefusedHook":         "Connections refused because a connect or join hook refused them, with 403, or failed, with 503.",
	"HookPayloads":        "Payloads that the publish hook gave and that cannot be stored; their events were answered unavailable.",
	"HookWaits":           "Events refused because too many of their client wait for the publish hook; answered unavailable.",
	"RefusedUpgrade":      "Requests without a valid WebSocket handshake.",
	"RefusedGuestNames":   "Joins of guests that would have opened a room whose name is displayed differently from how it is written.",
	"RefusedGuestRooms":   "Joins of guests that would have opened one room too many on this node.",
	"LimitedGuestRooms":   "Joins of guests whose address had opened too many rooms in that time.",
	"LimitedUserRooms":    "Joins of users with a token who had opened too many rooms in that time.",
	"LimitedAddressRooms": "Joins of users with a token whose address had opened too many rooms in that time.",
	"RefusedSpeak":        "Events refused because their sender may not speak in that room, or to that user.",
	"RateLimited":         "Events refused with rate_limited, and pings and empty frames that cost an event.",

	"LimitedConnects":       "Connections refused because too many came from their address.",
	"LimitedHandshakes":     "TLS connections closed before their handshake because too many came from their address.",
	"LimitedResumes":        "Connections refused because they asked for a replay while the budget for answers was overdrawn.",
	"LimitedLogins":         "Logins refused because too many came from their address.",
	"LimitedEvents":         "Events and empty frames beyond the events per second of their client.",
	"LimitedClientBytes":    "Events beyond the bytes per second of their client.",
	"LimitedUserBytes":      "Events beyond the bytes per second of their user.",
	"LimitedAddressBytes":   "Events beyond the bytes per second of their address.",
	"LimitedRoomBytes":      "Events beyond the bytes per second of their room.",
	"LimitedInboxSenders":   "Private messages beyond one sender's share of the messages per second into their receiver's inbox.",
	"LimitedInboxes":        "Private messages beyond the messages per second into their receiver's inbox.",
	"LimitedGuestInboxes":   "Private messages of guests beyond the bytes per second that guests may have stored in inboxes.",
	"LimitedClientAnswers":  "Requests beyond the bytes of answers per second of their client.",
	"LimitedUserAnswers":    "Requests beyond the bytes of answers per second of their user.",
	"LimitedAddressAnswers": "Requests beyond the bytes of answers per second of their address.",
	"LimitedReads":          "Requests for history answered busy because others of their user or address were in progress.",
	"SlowMessages":          "Connections closed because a message was not complete in time.",
	"UnfinishedCut":         "Connections closed because the incomplete messages of all clients together took too much memory, with 4001.",
	"Panics":                "Panics of handlers.",
	"SignalsLost":           "Signals dropped because half of the client's queue was used.",
	"QueuesCut":             "Connections closed because the queues of all clients together took too much memory, with 4001.",
	"PagesBusy":             "Requests for history refused because too many others were in progress.",
	"ResumesSlow":           "Joins refused because the client had not read what it was sent before.",
	"Unsent":                "Messages that were still queued when a connection ended.",
	"WriteErrors":           "Writes to clients that failed.",
}

// httpHelp says what each counter of httpStats counts.
var httpHelp = map[string]string{
	"Visitors":    "Connections accepted over HTTP, those that became WebSockets included.",
	"CutForAll":   "Connections that were cut before they became WebSockets, as the longest idle ones of too many.",
	"CutForOther": "Connections that were cut before they became WebSockets, as the longest idle ones of too many of their address.",

	"CutUnfinished": "Connections that were cut because incomplete requests took too much memory.",
}

// loginHelp says what each counter of auth.Stats counts, keysHelp those of
// auth.KeyStats.
var (
	loginHelp = map[string]string{
		"RefusedInAddress": "Guests' tokens in a URL, which are refused.",
		"RefusedEnded":     "Credentials that were revoked, as they were issued before their user's sessions were ended.",
	}
	keysHelp = map[string]string{
		"Fetched":     "Key sets fetched from --jwks-url.",
		"FetchErrors": "Fetches of --jwks-url that failed.",
		"FetchSaved":  "Tokens with an unknown key ID that came too soon after the last fetch for another one.",
		"Outdated":    "Tokens answered with 503, as there were no keys, or only too old ones.",
	}
)

// hookHelp says what each counter of hooks.Stats counts.
var hookHelp = map[string]string{
	"LoginAsked":        "Requests sent to the login hook.",
	"LoginRefused":      "Requests that the login hook refused.",
	"LoginFailed":       "Requests to the login hook that timed out or got an invalid response; unavailable, at the handshake 503.",
	"LoginOverloaded":   "Requests not sent to the login hook because 256 were in flight; unavailable, at the handshake 503.",
	"JoinAsked":         "Requests sent to the join hook.",
	"JoinRefused":       "Requests that the join hook refused.",
	"JoinFailed":        "Requests to the join hook that timed out or got an invalid response; unavailable, at the handshake 503.",
	"JoinOverloaded":    "Requests not sent to the join hook because 256 were in flight; unavailable, at the handshake 503.",
	"PublishAsked":      "Requests sent to the publish hook.",
	"PublishRefused":    "Requests that the publish hook refused.",
	"PublishFailed":     "Requests to the publish hook that timed out or got an invalid response; unavailable, at the handshake 503.",
	"PublishOverloaded": "Requests not sent to the publish hook because 256 were in flight; unavailable, at the handshake 503.",
	"JoinKept":          "Joins that were allowed from the cache of the join hook (for_s).",
	"Kept":              "Permissions of the join hook that were cached (for_s).",
}
