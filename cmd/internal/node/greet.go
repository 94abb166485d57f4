package node

import (
	"fmt"
	"net"
	"regexp"
	"strings"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
)

// example is an event that everybody sees, for the first try.
const example = `'{"type":"new_message","payload":{"message":"hello","from":"dealer"}}'`

// greet prints what a user needs to start; without a terminal it is one log
// entry.
func (n *Node) greet() {
	if logFormat(n.cfg, n.out) == logJSON {
		n.log.Info().Str("url", n.pageURL()).Str("nats", n.NATSURL()).Str("node", n.engine.Node()).
			Str("who_may_come_in", n.guestLine()).Str("store", n.storeLine()).Str("nats_access", n.natsLine()).Msg("roomd is ready")
	} else {
		fmt.Fprintf(n.out, "roomd is ready: open %s in two browser windows\n", n.pageURL())
		fmt.Fprintf(n.out, "  events from outside  %s\n", n.injectLine())
		fmt.Fprintf(n.out, "  NATS                 %s\n", n.natsLine())
		fmt.Fprintf(n.out, "  who may come in      %s\n", n.guestLine())
		fmt.Fprintf(n.out, "  the rooms' log       %s\n", n.storeLine())
	}
}

// pageURL is the page as a browser on this machine reaches it.
func (n *Node) pageURL() string {
	scheme := "http://"
	if n.cert != nil {
		scheme = "https://"
	}
	host, _, err := net.SplitHostPort(n.cfg.Addr)
	if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	_, port, err := net.SplitHostPort(n.listener.Addr().String())
	if err != nil {
		return scheme + n.listener.Addr().String()
	}
	return scheme + net.JoinHostPort(host, port)
}

func (n *Node) injectLine() string {
	switch url := n.NATSURL(); {
	case n.nats == nil:
		return "nats pub room.general.event " + example + "   (on your NATS)"
	case url == "":
		key := ""
		if n.cfg.takesTokens() || n.cfg.APIKey != "" {
			key = `-H "Authorization: Bearer $ROOMD_API_KEY" `
		}
		return "curl " + key + "-H Content-Type:application/json -d " + example + " " + n.pageURL() + "/api/rooms/general/events"
	case strings.HasSuffix(url, "://127.0.0.1:4222"):
		return "nats pub " + n.natsLogin() + "room.general.event " + example
	default:
		return "nats pub -s " + url + " " + n.natsLogin() + "room.general.event " + example
	}
}

// natsLogin returns the flags of the nats command for the embedded NATS, with
// the password's file, never the password.
func (n *Node) natsLogin() string {
	file := n.cfg.NATSPasswordFile()
	if file == "" {
		return ""
	}
	return "--user " + embedded.UserName + ` --password "$(cat ` + shellWord(file) + `)" `
}

// plainWord matches what a shell takes literally as one word.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:-]+$`)

func shellWord(s string) string {
	if plainWord.MatchString(s) && !strings.HasPrefix(s, "-") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// natsLine says who may connect to NATS, and so may read and write every room.
func (n *Node) natsLine() string {
	switch file := n.cfg.NATSPasswordFile(); {
	case n.nats == nil:
		return "as your NATS has it"
	case n.NATSURL() == "":
		return "inside this process only"
	case file != "":
		return "asks for the password in " + file
	default:
		return "open to every program on this machine; it asks for a password when a JWT or API key, or a login hook, is set"
	}
}

func (n *Node) guestLine() string {
	tokens := "people with a token that the JWT key checks"
	if n.cfg.JWKSURL != "" {
		tokens = "people with a token of the issuer of --jwks-url"
	}
	if n.cfg.asksLogin() {
		who := "whom the login hook lets in (--hook)"
		if n.cfg.checksTokens() {
			who += ", and " + tokens
		}
		return who
	}
	switch {
	case n.cfg.takesTokens() && n.cfg.Guests():
		return tokens + ", and guests in " + n.guestRooms()
	case n.cfg.takesTokens():
		return tokens
	case n.cfg.AllowGuests != nil:
		return "everybody, as a guest (--allow-guests)"
	default:
		return "everybody, as a guest, because only this machine can connect"
	}
}

// guestRooms says where guests may be.
func (n *Node) guestRooms() string {
	switch list := n.who.Guests.Rooms; {
	case list == nil:
		return "every room"
	case len(list) == 0:
		return "no room"
	default:
		return strings.Join(list, ", ")
	}
}

func (n *Node) storeLine() string {
	switch {
	case n.cfg.InMemory():
		return "in memory only (--store memory); Ctrl-C stops"
	case n.nats == nil:
		return "on the external NATS; Ctrl-C stops"
	default:
		return "in " + n.cfg.StoreDir + ", kept over restarts; Ctrl-C stops"
	}
}
