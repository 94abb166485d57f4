package wire

// members says which names an object has, of those that a message may lack or
// may not have.
type members uint8

const (
	anyMember members = 1 << iota // it has one at all
	memberRoomID
	memberSent
	memberTime
	memberWho  // uid or client_id
	memberMark // guest or service
)

func memberNamed(name rawString) members {
	text := name.bytes()
	switch string(text) {
	case "message", "from", "username", "avatar_id", "image_url", "to_uid":
		return 0
	case "room_id":
		return memberRoomID
	case "sent":
		return memberSent
	case "time":
		return memberTime
	case "uid":
		return memberWho
	}
	return claimNamed(text)
}
