package rooms

import (
	"sync/atomic"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
)

// Stats are the counters of an engine since it started. Any goroutine may read
// every field; only the engine writes.
type Stats struct {
	eventlog.PublishStats

	Opened     atomic.Int64 // rooms and inboxes
	Events     atomic.Int64 // taken from the log, once per room and node
	Deliveries atomic.Int64 // handed to members, in messages
	Bursts     atomic.Int64 // handed to members, in bursts
	Replayed   atomic.Int64 // events replayed to joiners
	Signals    atomic.Int64

	Repairs         atomic.Int64 // gaps that were read from the log
	Resets          atomic.Int64 // gaps that the log no longer fills, or a new log: members told to refresh
	HeldDropped     atomic.Int64 // live copies dropped while a room read the log; read again from there
	LiveFull        atomic.Int64 // live copies that found the room's mailbox full; read again from the log
	SlowConsumer    atomic.Int64 // live copies that nats.go dropped; read again from the log
	SignalFull      atomic.Int64 // signals that found the room's mailbox full; lost, as signals may be
	RingsCut        atomic.Int64 // rooms' rings that were cut because all together were too large
	ReplayCut       atomic.Int64 // joins that missed more than is replayed; told to refresh
	HistoryCut      atomic.Int64 // pages of history that are shorter than asked for, because of their bytes
	JoinBusy        atomic.Int64 // joins that found the room's mailbox full
	Dropped         atomic.Int64 // members that a room dropped because they could not take more
	Rejected        atomic.Int64 // injected events that were not valid
	SecretsRestored atomic.Int64 // times that the nodes' secret was put back into NATS
	Forged          atomic.Int64 // copies on a room's log subject that were not from the log, and what no node has signed that needs it
	NotSigned       atomic.Int64 // times that an event or signal was read whose Roomd-By no node has made; shown as a service's
	PeersLost       atomic.Int64 // nodes that fell silent and were dropped with their members
	PresenceFull    atomic.Int64 // what other nodes told of their members and a full mailbox did not take; asked for again
	Panics          atomic.Int64 // in a room's code, and in Kicked and EndUser of Config

	StatesBehind atomic.Int64 // times that a table had gone on too far since its state was given to somebody who joins; it was asked for again

	Unready      atomic.Int64 // times that the log ceased to take events: see Engine.Ready
	ProbesFailed atomic.Int64 // looks at the log and writes beside it that failed

	UsersWritten   atomic.Int64 // users noted as seen
	UsersUnwritten atomic.Int64 // users who could not be noted now: too many at once, or no room in the bucket
	UsersLookedUp  atomic.Int64 // users of whom this node did not know whether they exist
	UsersUnknown   atomic.Int64 // of those, the ones who do not

	FeedTold    atomic.Int64 // events of the feed that were published
	FeedDropped atomic.Int64 // events of the feed that were not: too many waited, or NATS was away. Who follows it sees the gap

	LobbyGathered atomic.Int64 // times that the rooms of all nodes were put together, for the lobby or the API
	LobbyLate     atomic.Int64 // of those for the lobby, the ones for which a node did not answer in time: shown as it was
	LabelsSet     atomic.Int64 // labels of rooms that this node has stored
	LabelsRefused atomic.Int64 // labels that services sent, or rules made, and that were not valid, too many, or could not be stored
	HistoryLimits atomic.Int64 // times that the number of events that a room, or an inbox, keeps was changed, because of its log's size
}
