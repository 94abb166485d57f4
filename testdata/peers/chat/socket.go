package chat

import (
	"flag"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// Upgrader is what the peers over plain gorilla open connections with.
var Upgrader = websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024}

// CompressFlag adds --compress, with which Upgrader agrees on compression.
func CompressFlag() {
	flag.BoolVar(&Upgrader.EnableCompression, "compress", false, "agree on permessage-deflate; each client's writer compresses for itself")
}

// Upgrade opens a connection, or answers why not and returns nil.
func Upgrade(w http.ResponseWriter, r *http.Request) *websocket.Conn {
	conn, err := Upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil // the upgrader has answered
	}
	return conn
}

// Read hands what comes to take, until the connection ends.
func Read(conn *websocket.Conn, take func(data []byte)) {
	alive := func(string) error { return conn.SetReadDeadline(time.Now().Add(Pong)) }
	conn.SetReadLimit(MaxMessage)
	conn.SetPongHandler(alive)
	if alive("") != nil {
		return
	}
	for {
		_, data, err := conn.ReadMessage()
		if err != nil {
			return
		}
		take(data)
	}
}

// WriteAll sends what is in queue, and pings, until queue is closed or the
// connection fails; then it closes that.
func WriteAll(conn *websocket.Conn, queue <-chan []byte) {
	ping := time.NewTicker(Ping)
	defer func() {
		ping.Stop()
		conn.Close()
	}()
	for {
		var err error
		select {
		case frame, ok := <-queue:
			if !ok {
				conn.WriteControl(websocket.CloseMessage, nil, time.Now().Add(Write)) // it is closed anyway
				return
			}
			err = send(conn, frame)
		case <-ping.C:
			err = conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(Write))
		}
		if err != nil {
			return
		}
	}
}

func send(conn *websocket.Conn, frame []byte) error {
	if err := conn.SetWriteDeadline(time.Now().Add(Write)); err != nil {
		return err
	}
	w, err := conn.NextWriter(websocket.TextMessage)
	if err != nil {
		return err
	}
	if _, err := w.Write(frame); err != nil {
		return err
	}
	return w.Close()
}
