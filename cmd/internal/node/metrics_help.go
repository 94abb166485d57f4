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
	"RoomPanics":         "Panics in a room's code.",
}

// sessionHelp says what each counter of session.Stats counts.
var sessionHelp = map[string]string{
	"Connected":       "Connections accepted.",
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
	"Errors":          "Error events sent to clients.",
	"RateLimited":     "Events refused because a client sent too many.",
	"Panics":          "Panics of handlers.",
	"Unsent":          "Messages that were still queued when a connection ended.",
	"WriteErrors":     "Writes to clients that failed.",
}
