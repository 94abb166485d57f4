package wire

// Types of events that clients send.
const (
	TypeSendMessage    = "send_message"
	TypeChangeRoom     = "change_room"
	TypeJoinRoom       = "join_room"
	TypeLeaveRoom      = "leave_room"
	TypePrivateMessage = "private_message" // both directions
	TypeGetOnlineUsers = "get_online_users"
	TypeGetHistory     = "get_history"
	TypeGetRooms       = "get_rooms"
	TypeSignal         = "signal"    // both directions
	TypeHeartbeat      = "heartbeat" // both directions
)

// Types of events that the server sends.
const (
	TypeWelcome     = "welcome"
	TypeRoomJoined  = "room_joined"
	TypeRoomLeft    = "room_left"
	TypeNewMessage  = "new_message"
	TypePresence    = "presence"
	TypeOnlineUsers = "online_users"
	TypeHistory     = "history"
	TypeRooms       = "rooms"
	TypeAck         = "ack"
	TypeError       = "error"
	TypeReconnect   = "reconnect"
)

var knownTypes = func() map[string]string {
	known := make(map[string]string)
	for _, t := range []string{
		TypeSendMessage, TypeChangeRoom, TypeJoinRoom, TypeLeaveRoom, TypePrivateMessage, TypeGetOnlineUsers,
		TypeGetHistory, TypeGetRooms, TypeSignal, TypeHeartbeat, TypeWelcome, TypeRoomJoined, TypeRoomLeft, TypeNewMessage,
		TypePresence, TypeOnlineUsers, TypeHistory, TypeRooms, TypeAck, TypeError, TypeReconnect, TypeBatch,
	} {
		known[t] = t
	}
	return known
}()

// Reserved reports whether t is an event that only the server itself may
// make, because clients act on it; injected from outside it is rejected.
func Reserved(t string) bool {
	switch t {
	case TypeWelcome, TypeRoomJoined, TypeRoomLeft, TypePresence, TypeOnlineUsers, TypeHistory, TypeRooms,
		TypeAck, TypeError, TypeReconnect, TypeHeartbeat, TypeSignal, TypeBatch:
		return true
	}
	return false
}

// Logged reports whether a sequence on an event of that type is its place in a
// room's log: on others that only the server makes it says something else.
func Logged(t string) bool { return t == TypeBatch || !Reserved(t) }
