package socket

import (
	"errors"
	"io"
	"net"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// CloseCode returns the close code for an error of a Source: that of the peer's
// close frame, byPeer, or else 1009 for a message over the limit, 1006 for a
// lost connection, 1002 for an invalid frame and for an error of a Handler.
func CloseCode(err error) (code wire.CloseCode, byPeer bool) {
	var closed *websocket.CloseError
	var netErr net.Error
	switch {
	case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
		return wire.CloseCode(closed.Code), true
	case errors.Is(err, websocket.ErrReadLimit):
		return wire.CloseTooBig, false
	case closed != nil, errors.As(err, &netErr), errors.Is(err, net.ErrClosed),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		return wire.CloseAbnormal, false
	default:
		return wire.CloseProtocol, false
	}
}
