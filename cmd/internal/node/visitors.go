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

// maxVisitorsPerAddress is how many connections of one address may be HTTP: not upgraded yet, or never. One more cuts the one of
// them that has done nothing for the longest.
const maxVisitorsPerAddress = 128

// httpStats counts what becomes of connections before they are WebSockets.
type httpStats struct {
	Visitors    atomic.Int64 // connections accepted
	CutForAll   atomic.Int64 // cut because there were too many
	CutForOther atomic.Int64 // cut because there were too many of their address

	CutUnfinished atomic.Int64 // cut because too much had come of requests that were not complete
}

// unfinishedCost is what a request that has begun to come costs beside its bytes, which are held twice while they are read.
const unfinishedCost = 4 << 10

// visitors are the connections that are HTTP. There are so many at most; beyond that the one that has done nothing for the
// longest is cut, so that sockets which never finish their handshake make room for who asks something. What all have sent of
// requests that are not complete has a bound too: beyond it the one that began first is cut. Its methods may be called from
// any goroutine.
type visitors struct {
	// fixed after newVisitors
	most    int
	bytes   int64        // of requests that are not complete
	proxies auth.Proxies // have no bound of their own, as loopback has none
	stats   httpStats

	mu      sync.Mutex
	here    map[net.Conn]*visitor
	idle    *list.List            // of *visitor: those that are not being answered, the longest so first
	byAddrs map[string]*list.List // the same by address
	serving map[string]int        // those that are being answered, by address
	begun   *list.List            // of *visitor: those that have begun a request, the first one first
	held    int64                 // by them
}

// visitor is one connection. Guarded by visitors.mu.
type visitor struct {
	// fixed
	conn net.Conn
	key  string // of its address; "": it has no bound

	gone            bool // cut, closed or upgraded
	requests        int  // being answered
	held            int64
	amongBegun      *list.Element // nil: nothing has come of a request that is not being answered
	among, ofTheKey *list.Element
}

func newVisitors(most int, bytes int64, proxies auth.Proxies) *visitors {
	return &visitors{
		most: most, bytes: bytes, proxies: proxies, begun: list.New(), here: make(map[net.Conn]*visitor), idle: list.New(),
		byAddrs: make(map[string]*list.List), serving: make(map[string]int),
	}
}

// visitorKey finds a connection's visitor in the context of its requests.
type visitorKey struct{}

// attach has a server report its connections.
func (v *visitors) attach(server *http.Server) {
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, visitorKey{}, v.arrive(conn))
	}
	server.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateHijacked || state == http.StateClosed {
			v.leave(conn)
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

// answer notes that a request is being answered, from when it is complete, and returns what is to be called when it was. Until
// its body has come it counts as one that is not.
func (v *visitors) answer(who *visitor, r *http.Request) (done func()) {
	if r.Body == http.NoBody {
		v.serve(who, +1)
		return func() { v.serve(who, -1) }
	}
	body := &awaited{ReadCloser: r.Body, complete: func() { v.serve(who, +1) }}
	r.Body = body
	return func() {
		body.end() // one that was not read to its end
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

// came notes that bytes of a request have come, and cuts those whose requests began first if that is too much.
func (v *visitors) came(who *visitor, n int) {
	var cut []*visitor
	v.mu.Lock()
	if !who.gone && who.requests == 0 {
		if who.amongBegun == nil {
			who.amongBegun, who.held = v.begun.PushBack(who), unfinishedCost
			v.held += unfinishedCost
		}
		who.held += 2 * int64(n)
		v.held += 2 * int64(n)
		for v.held > v.bytes {
			first := v.begun.Front().Value.(*visitor)
			v.forget(first)
			v.stats.CutUnfinished.Add(1)
			cut = append(cut, first)
		}
	}
	v.mu.Unlock()
	for _, who := range cut {
		cutOff(who.conn)
	}
}

// arrive notes a connection and cuts another one, or this one, if there are too many now.
func (v *visitors) arrive(conn net.Conn) *visitor {
	who := &visitor{conn: conn, key: v.keyOf(conn)}
	if in := incomingOf(conn); in != nil {
		in.who.Store(who)
	}
	v.stats.Visitors.Add(1)
	v.mu.Lock()
	v.here[conn] = who
	v.rest(who)
	var cut *visitor
	switch ofKey := v.byAddrs[who.key]; {
	case who.key != "" && ofKey.Len()+v.serving[who.key] > maxVisitorsPerAddress:
		cut = ofKey.Front().Value.(*visitor)
		v.stats.CutForOther.Add(1)
	case len(v.here) > v.most:
		cut = v.idle.Front().Value.(*visitor)
		v.stats.CutForAll.Add(1)
	}
	if cut != nil {
		v.forget(cut)
	}
	v.mu.Unlock()
	if cut != nil {
		cutOff(cut.conn)
	}
	return who
}

// cutOff closes a connection at once. Over TLS that is without a farewell: for it Close would wait up to 5 s for a peer that
// does not read, and here all others that come would wait with it.
func cutOff(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	conn.Close() // an error says that it was closed already
}

// leave forgets a connection that was closed, or is a WebSocket now.
func (v *visitors) leave(conn net.Conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if who := v.here[conn]; who != nil {
		v.forget(who)
	}
}

// serve notes that a request of a connection is being answered, or was.
func (v *visitors) serve(who *visitor, change int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if who.gone {
		return
	}
	before := who.requests
	who.requests += change
	switch {
	case before == 0:
		v.unbegin(who)
		v.stir(who)
	case who.requests == 0:
		v.unserve(who)
		v.rest(who)
	}
}

// forget needs mu.
func (v *visitors) forget(who *visitor) {
	who.gone = true
	delete(v.here, who.conn)
	v.unbegin(who)
	if in := incomingOf(who.conn); in != nil {
		in.who.Store(nil)
	}
	if who.requests > 0 {
		v.unserve(who)
		return
	}
	v.unrest(who)
}

// rest puts a connection behind all others that wait. It needs mu.
func (v *visitors) rest(who *visitor) {
	who.among = v.idle.PushBack(who)
	if who.key == "" {
		return
	}
	ofKey := v.byAddrs[who.key]
	if ofKey == nil {
		ofKey = list.New()
		v.byAddrs[who.key] = ofKey
	}
	who.ofTheKey = ofKey.PushBack(who)
}

// unrest needs mu.
func (v *visitors) unrest(who *visitor) {
	v.idle.Remove(who.among)
	if who.key == "" {
		return
	}
	ofKey := v.byAddrs[who.key]
	if ofKey.Remove(who.ofTheKey); ofKey.Len() == 0 {
		delete(v.byAddrs, who.key)
	}
}

// unbegin lets go of what came of a request. It needs mu.
func (v *visitors) unbegin(who *visitor) {
	if who.amongBegun == nil {
		return
	}
	v.begun.Remove(who.amongBegun)
	v.held -= who.held
	who.amongBegun, who.held = nil, 0
}

// stir takes a connection out of those that wait. It needs mu.
func (v *visitors) stir(who *visitor) {
	v.unrest(who)
	if who.key != "" {
		v.serving[who.key]++
	}
}

// unserve needs mu.
func (v *visitors) unserve(who *visitor) {
	if who.key == "" {
		return
	}
	if v.serving[who.key]--; v.serving[who.key] == 0 {
		delete(v.serving, who.key)
	}
}

// count is how many there are.
func (v *visitors) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.here)
}

// unfinished is what is held of requests that are not complete.
func (v *visitors) unfinished() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.held
}

// incomingOf is the connection that door made, also below TLS; nil for another one.
func incomingOf(conn net.Conn) *incoming {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	in, _ := conn.(*incoming)
	return in
}

// leaving hands out a connection that becomes a WebSocket as the system's own, which is read and written with the fewest calls.
type leaving struct{ http.ResponseWriter }

func (w leaving) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w leaving) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if in, ok := conn.(*incoming); ok {
		conn = in.TCPConn
	}
	return conn, buffers, err
}

// keyOf is what connections of one address are counted by; "" for this machine and for trusted proxies, behind which there may
// be any number of people.
func (v *visitors) keyOf(conn net.Conn) string {
	addr := auth.AddrOf(conn.RemoteAddr().String())
	if !addr.IsValid() || addr.IsLoopback() || v.proxies.Trusts(addr) {
		return ""
	}
	return auth.AddrKey(addr)
}
