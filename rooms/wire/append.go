package wire

import (
	"encoding/json"
	"strconv"
)

// Payloads that are sent per message, per join or for whole lists are encoded
// by hand, without reflection; a test compares that with encoding/json, which
// encodes the others.

// appender is a payload that is encoded by hand.
type appender interface {
	// append appends the payload as one JSON object.
	append(dst []byte) []byte
	// size is at least the length of that if no text needs an escape.
	size() int
}

func (p Ack) size() int { return len(`{"duplicate":false}`) }

func (p Ack) append(dst []byte) []byte {
	if p.Duplicate {
		return append(dst, `{"duplicate":true}`...)
	}
	return append(dst, `{"duplicate":false}`...)
}

func (p Welcome) size() int {
	const names = len(`{"client_id":"","uid":"","username":"","avatar_id":"","node":"","heartbeat_s":,"now":,"expires_in":}`)
	return names + 3*maxDigits + len(p.ClientID) + len(p.UID) + len(p.Username) + len(p.AvatarID) + len(p.Node)
}

func (p Welcome) append(dst []byte) []byte {
	dst = AppendString(append(dst, `{"client_id":`...), p.ClientID)
	dst = AppendString(append(dst, `,"uid":`...), p.UID)
	dst = AppendString(append(dst, `,"username":`...), p.Username)
	dst = AppendString(append(dst, `,"avatar_id":`...), p.AvatarID)
	dst = AppendString(append(dst, `,"node":`...), p.Node)
	dst = strconv.AppendInt(append(dst, `,"heartbeat_s":`...), int64(p.HeartbeatS), 10)
	dst = strconv.AppendInt(append(dst, `,"now":`...), p.Now, 10)
	if p.ExpiresIn != 0 {
		dst = strconv.AppendInt(append(dst, `,"expires_in":`...), p.ExpiresIn, 10)
	}
	return append(dst, '}')
}

func (p RoomJoined) size() int {
	const names = len(`{"room_id":"","epoch":"","seq":,"recovered":false,"replayed":,"count":,"list":}`)
	n := names + 3*maxDigits + len(p.RoomID) + len(p.Epoch) + usersSize(p.List) + len(p.EncodedList)
	if p.State != nil {
		n += len(`,"state":,"state_seq":,"now":`) + len(p.State) + 2*maxDigits
	}
	return n
}

func (p RoomJoined) append(dst []byte) []byte {
	dst = AppendString(append(dst, `{"room_id":`...), p.RoomID)
	dst = AppendString(append(dst, `,"epoch":`...), p.Epoch)
	dst = strconv.AppendUint(append(dst, `,"seq":`...), p.Seq, 10)
	dst = strconv.AppendBool(append(dst, `,"recovered":`...), p.Recovered)
	dst = strconv.AppendInt(append(dst, `,"replayed":`...), int64(p.Replayed), 10)
	dst = strconv.AppendInt(append(dst, `,"count":`...), int64(p.Count), 10)
	dst = append(dst, `,"list":`...)
	if p.EncodedList != nil {
		dst = append(dst, p.EncodedList...)
	} else {
		dst = appendUsers(dst, p.List)
	}
	if p.State != nil {
		dst = append(append(dst, `,"state":`...), p.State...)
		dst = strconv.AppendUint(append(dst, `,"state_seq":`...), p.StateSeq, 10)
		dst = strconv.AppendInt(append(dst, `,"now":`...), p.Now, 10)
	}
	return append(dst, '}')
}

func (p PresenceChange) size() int {
	return len(`{"room_id":"","joined":,"left":,"count":,"more":true}`) + maxDigits + len(p.RoomID) + usersSize(p.Joined) + usersSize(p.Left)
}

func (p PresenceChange) append(dst []byte) []byte {
	dst = AppendString(append(dst, `{"room_id":`...), p.RoomID)
	if len(p.Joined) > 0 {
		dst = appendUsers(append(dst, `,"joined":`...), p.Joined)
	}
	if len(p.Left) > 0 {
		dst = appendUsers(append(dst, `,"left":`...), p.Left)
	}
	dst = strconv.AppendInt(append(dst, `,"count":`...), int64(p.Count), 10)
	if p.More {
		dst = append(dst, `,"more":true`...)
	}
	return append(dst, '}')
}

func (p OnlineUsers) size() int {
	return len(`{"room_id":"","count":,"list":,"next":""}`) + maxDigits + len(p.RoomID) + usersSize(p.List) + len(p.Next)
}

func (p OnlineUsers) append(dst []byte) []byte {
	dst = AppendString(append(dst, `{"room_id":`...), p.RoomID)
	dst = strconv.AppendInt(append(dst, `,"count":`...), int64(p.Count), 10)
	dst = appendUsers(append(dst, `,"list":`...), p.List)
	return append(AppendString(append(dst, `,"next":`...), p.Next), '}')
}

func (p History) size() int {
	size := len(`{"room_id":"","events":[],"more":false}`) + len(p.RoomID)
	for _, ev := range p.Events {
		size += len(ev) + len(`,`)
	}
	return size
}

// append copies the events as they are: they are valid JSON.
func (p History) append(dst []byte) []byte {
	dst = AppendString(append(dst, `{"room_id":`...), p.RoomID)
	dst = append(dst, `,"events":[`...)
	for i, ev := range p.Events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, ev...)
	}
	return append(strconv.AppendBool(append(dst, `],"more":`...), p.More), '}')
}

func (p Rooms) size() int {
	size := len(`{"list":[],"next":"","tables":[]}`) + len(p.Next)
	for _, name := range p.Tables {
		size += len(`"",`) + len(name)
	}
	for i := range p.List {
		size += len(`{"name":"","count":,"at":,"label":},`) + 2*maxDigits + len(p.List[i].Name) + len(p.List[i].Label)
	}
	return size
}

// append copies the labels as they are: they are valid JSON.
func (p Rooms) append(dst []byte) []byte {
	dst = append(dst, `{"list":[`...)
	for i := range p.List {
		if i > 0 {
			dst = append(dst, ',')
		}
		r := &p.List[i]
		dst = AppendString(append(dst, `{"name":`...), r.Name)
		dst = strconv.AppendInt(append(dst, `,"count":`...), r.Count, 10)
		dst = strconv.AppendInt(append(dst, `,"at":`...), r.At, 10)
		if len(r.Label) > 0 {
			dst = append(append(dst, `,"label":`...), r.Label...)
		}
		dst = append(dst, '}')
	}
	dst = AppendString(append(dst, `],"next":`...), p.Next)
	for i, name := range p.Tables {
		lead := `,`
		if i == 0 {
			lead = `,"tables":[`
		}
		dst = AppendString(append(dst, lead...), name)
	}
	if len(p.Tables) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// EncodeUsers returns a list for RoomJoined.EncodedList.
func EncodeUsers(users []User) json.RawMessage {
	return appendUsers(make([]byte, 0, usersSize(users)), users)
}

// appendUsers appends a list, [] when there is nobody: a client may take its
// length.
func appendUsers(dst []byte, users []User) []byte {
	dst = append(dst, '[')
	for i := range users {
		if i > 0 {
			dst = append(dst, ',')
		}
		u := &users[i]
		dst = AppendString(append(dst, `{"uid":`...), u.UID)
		dst = AppendString(append(dst, `,"username":`...), u.Username)
		dst = AppendString(append(dst, `,"avatar_id":`...), u.AvatarID)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// usersSize is the length of what appendUsers appends when no name needs an
// escape.
func usersSize(users []User) int {
	size := len(`[]`)
	for i := range users {
		u := &users[i]
		size += len(`{"uid":"","username":"","avatar_id":""},`) + len(u.UID) + len(u.Username) + len(u.AvatarID)
	}
	return size
}
