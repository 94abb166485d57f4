// Package web is the demo page: plain HTML, CSS and ES modules, embedded in the
// binary. It speaks through the client at /client.js and nothing else, so it is
// also the example of what one builds on that.
//
// How the files share the work (arrows point down only):
//
//	main.js                       puts the page together
//	view-*.js                     one part of the page each; read the state, call chat.js
//	chat.js  directory.js         what events mean, what a person can do; the only writers of the state
//	state.js  timeline.js         what the page knows
//	table.js                      a table at which this window sits: what is on it, what is being bet
//	table-state.js table-roads.js what the events of a table make of it, and of its results: pure
//	table-speech.js               the same in sentences, for who does not see it
//	inbox.js                      the private messages, sorted by person
//	outbox.js                     what became of what was written
//	/client.js                    rooms, positions, resume, acks: package js, not of the page
//	identity.js address.js        who this window is and what it had open; what is on view
//	protocol.js pictures.js       the pure rules
//	dom.js focus.js text.js       elements, where the focus goes, text with links
//	avatars.js i18n*.js           drawings, every word in two languages
//
// # For browser tests
//
// Two windows (tabs) are two people: the identity lives in sessionStorage. The
// address says what is on view, ?room=NAME or ?user=UID; it may carry
// #room=NAME and #token=JWT, which are taken out of it at once. These
// data-testid attributes are kept stable:
//
//	name                the name field of the way in
//	avatar-option       one avatar to choose; data-avatar-id
//	entry-switch        changes between a name and a token
//	token               the token field
//	enter               the button of the way in
//	entry-error         why one could not enter
//	connection          data-state=connecting|connected|reconnecting|ended
//	banner, reconnect   shown while reconnecting or ended, and its button
//	room-tab            one per room; data-room, data-unread, data-joined, aria-selected
//	conversation-tab    one per private conversation; data-uid, data-unread, aria-selected
//	unread              the badge inside either tab
//	add-room            the field for a room's name; Enter joins it
//	add-room-join       joins it (join_room)
//	directory           the other rooms there are; each is a directory-room with data-room
//	tables              the tables among them, also some that nobody has opened yet; each is a table-room with data-room
//	to-table            on a narrow window the way to the first of them, while one sits at none
//	lobby, lobby-room   what is there while no room is on view, a room that one may enter; data-room
//	chat                the panel on view; data-kind=room|private, data-room or data-uid: with data-kind=private it
//	                    is the private conversation
//	chat-title          its name
//	messages            the list (role=log)
//	picture             a picture of a message: an image, or a link with data-host that opens it in a tab of its own;
//	                    data-broken when it cannot be shown
//	link                a link in a message
//	new-line            the line above what came while nobody looked
//	message             one event; data-seq, data-type, data-uid of its sender (empty for a service)
//	pending, outgoing   the list of what is not stored yet, one entry; data-status=pending|sent|failed
//	retry, discard      the buttons of a failed entry
//	history-loader      loads earlier messages; hidden at the beginning of the log
//	reloaded            the line that says that history was reloaded instead of caught up
//	latest              the button back to the newest message
//	typing              the line of who is writing
//	composer, send      where one writes; Enter sends
//	image-toggle        shows the field for a picture's address
//	image-url           that field
//	people, person      the list, one person; data-uid; a click opens the private conversation
//	people-count        the number of people, in words
//	people-find         the search field
//	open-rooms          opens the drawer of rooms on a narrow window
//	open-people         opens the drawer of people
//	me, signout         who this window is; leaves
//	notice              one passing notice
//
// Of a baccarat table:
//
//	table               the table; data-phase
//	round, clock        the number of the round, the seconds in which one may bet
//	table-note          paused, extended, offline
//	table-status, gain  what is to be done, or how the round ended; what it brought
//	hand-player, hand-banker, points-player, points-banker
//	card                a card in either; data-card ("TD"), data-index
//	spot                where one bets; data-on, data-underway while a bet is on its way, data-won
//	total, mine         in a spot: everybody's chips, one's own
//	chip                a chip to choose; data-chip
//	stack, staked       what one has left, and on the table
//	bet-again, bet-clear, refill
//	bet-problem         why the last bet was not taken
//	bead-plate, big-road, roads-text
//	fair, shoe, verdict how to check a shoe; one, with data-shoe; whether its seed is the promised one
//	copy                copies a shoe's seed, or the command that checks it
//	fair-earlier        looks in the history for one more shoe
//	switch              between the table and what is said, on a narrow window
//	announcer           what a screen reader is told
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client/js"
)

//go:embed assets
var embedded embed.FS

// contentTypes is fixed here because mime.TypeByExtension also asks the
// machine, and a wrong answer under nosniff is a page without its scripts.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// imageHostsMark is the placeholder for the image hosts in the page.
const imageHostsMark = `<meta name="image-hosts" content="">`

// asset is one file, ready to be served. Fixed after start.
type asset struct {
	body        []byte
	contentType string
	etag        string
}

// clientPath is the path of the client for JavaScript.
const clientPath = "/client.js"

// Handler serves the page at /, its files under /assets/ and the client for
// JavaScript at /client.js, to GET and HEAD, and answers 404 to every other
// path and 405 to every other method. Pictures from imageHosts, which
// ParseImageHosts has returned, load at once; all others are links. Browsers
// revalidate each file by its ETag, so that a new binary shows at the next
// reload. Headers that every answer of the server has are the caller's to set,
// before it. Mount it behind more specific patterns ("/ws", "/api/", …). Safe
// for use by many goroutines.
func Handler(imageHosts []string) http.Handler {
	assets, err := load(embedded, imageHosts)
	if err != nil {
		panic(fmt.Sprintf("web: the embedded page cannot be read (the binary is broken; build it again): %v", err))
	}
	return handler(assets, newPolicy(imageHosts))
}

func handler(assets map[string]asset, p policy) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", p.header(r.Host, r.TLS != nil))
		a, ok := assets[r.URL.Path]
		if !ok {
			refuse(w, http.StatusNotFound, wire.ErrorInfo{Code: wire.NotFound, Message: "there is nothing at this address; the page is at /, and what else there is the contract lists"})
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			refuse(w, http.StatusMethodNotAllowed, wire.ErrorInfo{Code: "method_not_allowed", Message: r.Method + " is not possible here; use GET or HEAD"})
			return
		}
		if r.URL.Path == clientPath { // for the pages of any site: it holds nothing of anybody
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		}
		serve(w, r, a)
	})
}

// refuse responds with an error in the server's format.
func refuse(w http.ResponseWriter, status int, info wire.ErrorInfo) {
	body, err := json.Marshal(map[string]wire.ErrorInfo{"error": info})
	if err != nil {
		panic(fmt.Sprintf("web: an answer cannot be encoded: %v", err)) // two strings and a bool
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(body) // an error means that the client is gone
}

func serve(w http.ResponseWriter, r *http.Request, a asset) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", a.etag)
	if matches(r.Header.Get("If-None-Match"), a.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.contentType)
	h.Set("Content-Length", fmt.Sprint(len(a.body)))
	if r.Method == http.MethodHead {
		return
	}
	w.Write(a.body) // an error means that the browser is gone
}

// matches compares as If-None-Match does: weakly, because a proxy that
// compresses makes the tag weak.
func matches(header, etag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == etag || candidate == "*" {
			return true
		}
	}
	return false
}

// load reads the files under assets and keys each by the path at which it is
// served. The page gets imageHosts.
func load(files fs.FS, imageHosts []string) (map[string]asset, error) {
	assets := map[string]asset{}
	told := strings.Replace(imageHostsMark, `""`, `"`+html.EscapeString(strings.Join(imageHosts, " "))+`"`, 1)
	err := fs.WalkDir(files, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		contentType, ok := contentTypes[path.Ext(name)]
		if !ok {
			return fmt.Errorf("%s: no content type for %q; add it to contentTypes", name, path.Ext(name))
		}
		if name == "assets/index.html" {
			body = bytes.Replace(body, []byte(imageHostsMark), []byte(told), 1)
		}
		assets["/"+name] = newAsset(body, contentType)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the embedded assets: %w", err)
	}
	index, ok := assets["/assets/index.html"]
	if !ok {
		return nil, fmt.Errorf("assets/index.html is missing")
	}
	delete(assets, "/assets/index.html")
	assets["/"] = index
	assets[clientPath] = newAsset(js.Client, contentTypes[path.Ext(clientPath)])
	return assets, nil
}

func newAsset(body []byte, contentType string) asset {
	sum := sha256.Sum256(body)
	return asset{body: body, contentType: contentType, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}
