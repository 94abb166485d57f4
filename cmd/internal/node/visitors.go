package node

import (
	"bufio"
	"container/list"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// maxVisitorsPerAddress is how many connections of one address may be HTTP,
// that is, not upgraded. One more closes the one of them that has been idle for
// the longest.
const maxVisitorsPerAddress = 128

// httpStats are the counters of connections before they are WebSockets.
type httpStats struct {
	Visitors    atomic.Int64 // connections accepted
	CutForAll   atomic.Int64 // closed because there were too many
	CutForOther atomic.Int64 // closed because there were too many of their address

	CutUnfinished atomic.Int64 // closed because incomplete requests took too much memory
}

// unfinishedCost is how many bytes an incomplete request costs besides its own,
// which are held twice while they are read.
const unfinishedCost = 4 << 10

// visitors tracks the connections that are HTTP. Their number is limited:
// beyond it the one that has been idle for the longest is closed, so that
// sockets which never finish a handshake make room for others. The memory of
// incomplete requests is limited too: beyond it the one that began first is
// closed. Its methods may be called from any goroutine.
type visitors struct {
	// fixed after newVisitors
	maxConns int
	bytes    int64        // of requests that are not complete
	proxies  auth.Proxies // are exempt from the limit per address, as loopback is
	stats    httpStats

	mu         sync.Mutex
	conns      map[net.Conn]*visitor
	idle       *list.List            // of *visitor: without a request in progress, longest idle first
	byAddrs    map[string]*list.List // the same by address
	serving    map[string]int        // connections with a request in progress, by address
	incomplete *list.List            // of *visitor: with an incomplete request, oldest first
	held       int64                 // by them
}

// visitor is one connection. Guarded by visitors.mu.
type visitor struct {
	// fixed
	conn net.Conn
	key  string // of its address; "": exempt

	removed             bool // closed or upgraded
	requests            int  // being answered
	held                int64
	incomplete          *list.Element // nil: there is no incomplete request
	idle, idleOfAddress *list.Element
}

func newVisitors(most int, bytes int64, proxies auth.Proxies) *visitors {
	return &visitors{
		maxConns: most, bytes: bytes, proxies: proxies, incomplete: list.New(), conns: make(map[net.Conn]*visitor), idle: list.New(),
		byAddrs: make(map[string]*list.List), serving: make(map[string]int),
	}
}

// visitorKey is the context key of a connection's visitor.
type visitorKey struct{}

// attach makes a server report its connections.
func (v *visitors) attach(server *http.Server) {
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, visitorKey{}, v.add(conn))
	}
	server.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateHijacked || state == http.StateClosed {
			v.remove(conn)
		}
	}
	next := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who, ok := r.Context().Value(visitorKey{}).(*visitor); ok {
			defer v.answer(who, r)()
		}
		next.ServeHTTP(leaving{w}, r)
	})
}

// answer marks a request as in progress and returns a function to call when it
// is done. Until its body is complete it counts as incomplete.
func (v *visitors) answer(who *visitor, r *http.Request) (done func()) {
	if r.Body == http.NoBody {
		v.serve(who, +1)
		return func() { v.serve(who, -1) }
	}
	body := &awaited{ReadCloser: r.Body, complete: func() { v.serve(who, +1) }}
	r.Body = body
	return func() {
		body.end() // a body that was not read to its end
		v.serve(who, -1)
	}
}

// awaited is the body of a request. It is owned by the request's goroutine.
type awaited struct {
	io.ReadCloser
	complete func() // nil: it was called
}

func (b *awaited) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

func (b *awaited) end() {
	if b.complete != nil {
		b.complete()
		b.complete = nil
	}
}

// received adds received bytes of a request, and closes the connections with the
// oldest incomplete requests if these are too many.
func (v *visitors) received(who *visitor, n int) {
	var cut []*visitor
	v.mu.Lock()
	if !who.removed && who.requests == 0 {
		if who.incomplete == nil {
			who.incomplete, who.held = v.incomplete.PushBack(who), unfinishedCost
			v.held += unfinishedCost
		}
		who.held += 2 * int64(n)
		v.held += 2 * int64(n)
		for v.held > v.bytes {
			first := v.incomplete.Front().Value.(*visitor)
			v.drop(first)
			v.stats.CutUnfinished.Add(1)
			cut = append(cut, first)
		}
	}
	v.mu.Unlock()
	for _, who := range cut {
		cutOff(who.conn)
	}
}

// add notes a new connection, and closes another one, or this one, if there are
// too many now.
func (v *visitors) add(conn net.Conn) *visitor {
	who := &visitor{conn: conn, key: v.keyOf(conn)}
	if in := incomingOf(conn); in != nil {
		in.who.Store(who)
	}
	v.stats.Visitors.Add(1)
	v.mu.Lock()
	v.conns[conn] = who
	v.addIdle(who)
	var cut *visitor
	switch ofKey := v.byAddrs[who.key]; {
	case who.key != "" && ofKey.Len()+v.serving[who.key] > maxVisitorsPerAddress:
		cut = ofKey.Front().Value.(*visitor)
		v.stats.CutForOther.Add(1)
	case len(v.conns) > v.maxConns:
		cut = v.idle.Front().Value.(*visitor)
		v.stats.CutForAll.Add(1)
	}
	if cut != nil {
		v.drop(cut)
	}
	v.mu.Unlock()
	if cut != nil {
		cutOff(cut.conn)
	}
	return who
}

// cutOff closes a connection at once. Over TLS that is without a close_notify,
// for which Close would block up to 5 s, and with it all new connections.
func cutOff(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	conn.Close() // fails only if it is closed already
}

// remove takes out a connection that was closed, or is a WebSocket now.
func (v *visitors) remove(conn net.Conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if who := v.conns[conn]; who != nil {
		v.drop(who)
	}
}

// serve updates a connection when a request begins or is done.
func (v *visitors) serve(who *visitor, change int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if who.removed {
		return
	}
	before := who.requests
	who.requests += change
	switch {
	case before == 0:
		v.releaseIncomplete(who)
		v.startServing(who)
	case who.requests == 0:
		v.stopServing(who)
		v.addIdle(who)
	}
}

// drop is called with mu held.
func (v *visitors) drop(who *visitor) {
	who.removed = true
	delete(v.conns, who.conn)
	v.releaseIncomplete(who)
	if in := incomingOf(who.conn); in != nil {
		in.who.Store(nil)
	}
	if who.requests > 0 {
		v.stopServing(who)
		return
	}
	v.removeIdle(who)
}

// addIdle appends a connection to the idle ones. It is called with mu held.
func (v *visitors) addIdle(who *visitor) {
	who.idle = v.idle.PushBack(who)
	if who.key == "" {
		return
	}
	ofKey := v.byAddrs[who.key]
	if ofKey == nil {
		ofKey = list.New()
		v.byAddrs[who.key] = ofKey
	}
	who.idleOfAddress = ofKey.PushBack(who)
}

// removeIdle is called with mu held.
func (v *visitors) removeIdle(who *visitor) {
	v.idle.Remove(who.idle)
	if who.key == "" {
		return
	}
	ofKey := v.byAddrs[who.key]
	if ofKey.Remove(who.idleOfAddress); ofKey.Len() == 0 {
		delete(v.byAddrs, who.key)
	}
}

// releaseIncomplete releases the bytes of an incomplete request. It is called
// with mu held.
func (v *visitors) releaseIncomplete(who *visitor) {
	if who.incomplete == nil {
		return
	}
	v.incomplete.Remove(who.incomplete)
	v.held -= who.held
	who.incomplete, who.held = nil, 0
}

// startServing counts a connection that is idle no more. It is called with mu
// held.
func (v *visitors) startServing(who *visitor) {
	v.removeIdle(who)
	if who.key != "" {
		v.serving[who.key]++
	}
}

// stopServing is called with mu held.
func (v *visitors) stopServing(who *visitor) {
	if who.key == "" {
		return
	}
	if v.serving[who.key]--; v.serving[who.key] == 0 {
		delete(v.serving, who.key)
	}
}

// count returns the number of connections.
func (v *visitors) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.conns)
}

// unfinished returns the memory of incomplete requests in bytes.
func (v *visitors) unfinished() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.held
}

// incomingOf returns the incoming connection, also below TLS; nil if there is
// none.
func incomingOf(conn net.Conn) *incoming {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	in, _ := conn.(*incoming)
	return in
}

// leaving returns the underlying connection of one that becomes a WebSocket,
// which needs the fewest system calls.
type leaving struct{ http.ResponseWriter }

func (w leaving) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w leaving) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if in, ok := conn.(*incoming); ok {
		conn = in.TCPConn
	}
	return conn, buffers, err
}

// keyOf returns the key of the limit per address; "" for this machine and for
// trusted proxies, behind which there may be any number of users.
func (v *visitors) keyOf(conn net.Conn) string {
	addr := auth.AddrOf(conn.RemoteAddr().String())
	if !addr.IsValid() || addr.IsLoopback() || v.proxies.Trusts(addr) {
		return ""
	}
	return auth.AddrKey(addr)
}
