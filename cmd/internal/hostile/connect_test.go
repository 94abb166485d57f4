//go:build linux

package hostile

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Defaults of the budgets per address: per second, and at once.
const (
	connectRate, connectBurst = 20, 200
	loginRate, loginBurst     = 5, 50
)

// One address connects as fast as it can: with one of IPv4, which tells the
// proxy that it is another each time, and with a network of IPv6.
func TestConnectionFlood(t *testing.T) {
	a := begin(t, setup{name: "connections of one address, as fast as they go"})
	forged := func(n int) string { return fmt.Sprintf("203.0.113.%d, %s", 1+n%250, documentation(7)) }
	network := func(n int) string { return fmt.Sprintf("2001:db8:1:2::%x", n) }
	a.connect(lasts(3*time.Second, 30*time.Second), forged, network)
	opened := read(a.tally, func(t *tally) int64 { return t.opened })
	bound := int64(2 * (connectBurst + connectRate*(time.Since(a.started).Seconds()+1)))
	a.holds(opened <= bound, "%d connections were opened; the budget of the two is %d", opened, bound)
	a.holds(read(a.tally, func(t *tally) int64 { return t.refused["HTTP 429"] }) > 0, "none was refused with 429")
	a.end()
}

// Each connection comes from a network that was never here: none is over its
// budget, and what is remembered of them is bounded.
func TestConnectionsOfManyNetworks(t *testing.T) {
	a := begin(t, setup{name: "connections, each from another network"})
	a.connect(lasts(3*time.Second, 30*time.Second), func(n int) string { return fmt.Sprintf("2001:db8:%x:%x::1", n>>16, n&0xffff) })
	a.end()
}

// connect opens connections and breaks them off, for as long as d.
func (a *attack) connect(d time.Duration, from ...func(n int) string) {
	ctx, cancel := context.WithTimeout(a.t.Context(), d)
	defer cancel()
	var all sync.WaitGroup
	var count atomic.Int64
	for range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				n := int(count.Add(1))
				if p, err := a.knock(visit{from: from[n%len(from)](n), deaf: true}, nil); err == nil {
					p.leave()
					a.peers.remove(p)
				}
			}
		})
	}
	all.Wait()
}

// One address logs in as fast as it can.
func TestLoginFlood(t *testing.T) {
	a := begin(t, setup{name: "logins of one address, as fast as they go"})
	ctx, cancel := context.WithTimeout(t.Context(), lasts(2*time.Second, 20*time.Second))
	defer cancel()
	var good, refused atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				got, err := a.server.call(t.Context(), http.MethodPost, "/login", `{"username":"x"}`, map[string]string{"X-Forwarded-For": documentation(9), "Content-Type": "application/json"})
				switch {
				case err != nil:
					t.Logf("a login: %v", err)
				case got.status == http.StatusOK:
					good.Add(1)
				case got.status == http.StatusTooManyRequests:
					refused.Add(1)
				default:
					a.wrong("a login is answered %d %s", got.status, got.body)
				}
			}
		})
	}
	all.Wait()
	bound := int64(loginBurst + loginRate*(time.Since(a.started).Seconds()+1))
	a.holds(good.Load() <= bound, "%d logins were answered; the budget is %d", good.Load(), bound)
	a.holds(refused.Load() > 0, "no login was refused with 429")
	a.asks(http.MethodPost, "/login", `{"username":"x"}`, map[string]string{"X-Forwarded-For": documentation(10), "Content-Type": "application/json"}, http.StatusOK)
	a.wave = fmt.Sprintf("%d logins, %d × 429", good.Load(), refused.Load())
	a.end()
}

// With few descriptors, sockets that say nothing and guests take all they can;
// readiness, the API and NATS still answer, and so does the room.
func TestFewDescriptors(t *testing.T) {
	a := begin(t, setup{name: "400 half-open sockets and 400 guests, 300 descriptors", files: 300, full: true})
	var sockets []net.Conn
	letGo := func() {
		for _, conn := range sockets {
			conn.Close()
		}
		sockets = nil
	}
	defer letGo()
	asked := 0
	for end := time.Now().Add(lasts(2*time.Second, 20*time.Second)); asked == 0 || time.Now().Before(end); asked++ {
		letGo()
		for n := range 400 {
			sockets = append(sockets, a.halfOpen(n%2 == 0)...)
		}
		var guests sync.WaitGroup
		for n := range 400 {
			guests.Go(func() {
				_, err := a.knock(visit{from: documentation(n), deaf: true}, nil)
				_ = err // counted
			})
		}
		err := within(t.Context(), patience, a.answered)
		a.holds(err == nil, "with all descriptors taken, an operator gets no answer: %v", err)
		guests.Wait()
	}
	a.peers.leave()
	letGo()
	err := within(t.Context(), patience, a.answered)
	a.holds(err == nil, "when they have gone: %v", err)
	err = within(t.Context(), patience, a.bystander.visit)
	a.holds(err == nil, "when they have gone, nobody can come: %v", err)
	a.wave = fmt.Sprintf("readiness, API and NATS answered %d times", asked)
	a.end()
}

// halfOpen is a socket that says the beginning of a request, or nothing.
func (a *attack) halfOpen(begins bool) []net.Conn {
	conn, err := net.DialTimeout("tcp", a.server.addr, time.Second)
	if err != nil {
		a.tally.refuse("no connection")
		return nil
	}
	if begins {
		if _, err := fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: %s\r\n", a.server.addr); err != nil {
			a.tally.refuse("no connection")
		}
	}
	return []net.Conn{conn}
}
