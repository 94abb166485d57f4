module github.com/passoncomtw/baccarat-websocket-cluster/testdata/peers

go 1.26.0

require (
	github.com/gorilla/websocket v1.5.3
	github.com/olahol/melody v1.1.4
)
