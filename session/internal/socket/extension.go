package socket

import (
	"net/http"
	"slices"
	"strings"
)

// offersDeflate reports whether a handshake offers permessage-deflate with
// parameters that are supported (RFC 7692, section 7.1). Every message is
// compressed by itself with the largest window, so an offer with a smaller
// server window is declined; a client may add a simpler one.
func offersDeflate(h http.Header) bool {
	for _, line := range h.Values("Sec-WebSocket-Extensions") {
		if slices.ContainsFunc(strings.Split(line, ","), isDeflateOffer) {
			return true
		}
	}
	return false
}

func isDeflateOffer(offer string) bool {
	parts := strings.Split(offer, ";")
	if strings.Trim(parts[0], " \t") != "permessage-deflate" {
		return false
	}
	for _, param := range parts[1:] {
		name, _, _ := strings.Cut(param, "=")
		switch strings.Trim(name, " \t") {
		case "server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits":
		default:
			return false
		}
	}
	return true
}
