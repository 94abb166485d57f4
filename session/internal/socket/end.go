package socket

import (
	"errors"
	"io"
	"net"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// CloseCode is how a connection ends after an error of its Source: with the
// code of the peer's close frame, byPeer, or with 1009 for a message over the
// limit, 1006 for a connection that is lost, or 1002 for a frame that no
// WebSocket peer sends, and for an error of a Handler.
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
