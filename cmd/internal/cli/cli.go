// Package cli has what the commands share in parsing their command lines.
package cli

import (
	"fmt"
	"net/url"
	"strings"
)

// HTTPURL is the address of an HTTP endpoint, such as /readyz, of the server
// whose WebSocket is at ws: on the same host, with the endpoint's path in the
// place of /ws. Other paths before it stay, as a proxy may serve the server
// below one.
func HTTPURL(ws, path string) (string, error) {
	u, err := url.Parse(ws)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("%q is no address; write one such as ws://localhost:3000/ws", ws)
	}
	switch u.Scheme {
	case "ws", "http":
		u.Scheme = "http"
	case "wss", "https":
		u.Scheme = "https"
	default:
		return "", fmt.Errorf("%q is neither ws:// nor wss://; write one such as ws://localhost:3000/ws", ws)
	}
	base := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/ws")
	return u.Scheme + "://" + u.Host + base + path, nil
}
