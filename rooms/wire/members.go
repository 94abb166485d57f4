package wire

// members says which names an object has, of those that a message may lack.
type members uint8

const (
	anyMember members = 1 << iota // it has one at all
	memberRoomID
	memberSent
	memberTime
)

func memberNamed(name rawString) members {
	switch string(name.bytes()) {
	case "room_id":
		return memberRoomID
	case "sent":
		return memberSent
	case "time":
		return memberTime
	}
	return 0
}
