package node

// roomHelp says what each counter of rooms.Stats counts. A test asks for every field.
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
	"Repairs":            "Holes that were read from the log.",
	"Resets":             "Holes that the log no longer fills: members were told to refresh.",
	"HeldDropped":        "Live copies dropped while a room read the log; read again from there.",
	"LiveFull":           "Live copies that found a room's mailbox full; read again from the log.",
	"SlowConsumer":       "Times that nats.go dropped live copies; read again from the log.",
	"SignalFull":         "Signals lost because a room's mailbox was full.",
	"JoinBusy":           "Requests refused because a room's mailbox was full.",
	"Dropped":            "Members that a room dropped because they could not take more.",
	"Rejected":           "Injected events that were not valid.",
	"Forged":             "Messages on a log subject that did not come from the log; ignored.",
	"PeersLost":          "Nodes that fell silent and were dropped with their members.",
	"PresenceFull":       "News of other nodes' members that found a room's mailbox full; asked for again.",
	"Unready":            "Times that the log ceased to take events.",
	"ProbesFailed":       "Looks whether the log takes events that failed.",
	"RoomPanics":         "Panics in a room's code.",
}

// sessionHelp says what each counter of session.Stats counts.
var sessionHelp = map[string]string{
	"Connected":       "Connections accepted.",
	"Deflating":       "Connections accepted that agreed on compression.",
	"Received":        "Events from clients.",
	"Frames":          "Messages written to clients.",
	"Bytes":           "Bytes written to clients.",
	"Writes":          "System calls that wrote to clients.",
	"RefusedCapacity": "Connections refused with 503.",
	"RefusedRate":     "Connections refused with 429.",
	"RefusedLogin":    "Connections refused with 401.",
	"RefusedOrigin":   "Connections refused because of their origin, with 403.",
	"RefusedRoom":     "Connections refused because of their room, with 400 or 403.",
	"RefusedUpgrade":  "Requests without a proper WebSocket handshake.",
	"RefusedSpeak":    "Events refused because their sender may not speak in that room, or to that user.",
	"Errors":          "Error events sent to clients.",
	"RateLimited":     "Events refused with rate_limited, and pings and empty frames that cost an event.",

	"LimitedConnects":       "Connections refused because too many came from their address.",
	"LimitedResumes":        "Connections refused because they asked for a replay before the last ones were paid off.",
	"LimitedLogins":         "Logins refused because too many came from their address.",
	"LimitedEvents":         "Events and empty frames beyond the events per second of their client.",
	"LimitedClientBytes":    "Events beyond the bytes per second of their client.",
	"LimitedUserBytes":      "Events beyond the bytes per second of their user.",
	"LimitedAddressBytes":   "Events beyond the bytes per second of their address.",
	"LimitedRoomBytes":      "Events beyond the bytes per second of their room.",
	"LimitedClientAnswers":  "Requests refused for what their client had been given.",
	"LimitedUserAnswers":    "Requests refused for what their user had been given.",
	"LimitedAddressAnswers": "Requests refused for what their address had been given.",
	"LimitedReads":          "Requests for history answered busy because others of their user or address were under way.",
	"SlowMessages":          "Connections closed because a message was not complete in time.",
	"Panics":                "Panics of handlers.",
	"Unsent":                "Messages that were still queued when a connection ended.",
	"WriteErrors":           "Writes to clients that failed.",
}

// httpHelp says what each counter of httpStats counts.
var httpHelp = map[string]string{
	"Visitors":    "Connections accepted over HTTP, those that became WebSockets included.",
	"CutForAll":   "Connections that were cut before they became WebSockets, as the longest idle ones of too many.",
	"CutForOther": "Connections that were cut before they became WebSockets, as the longest idle ones of too many of their address.",
}
