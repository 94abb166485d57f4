package auth

import (
	"net/http"
	"strings"
	"testing"
)

func TestPeer(t *testing.T) {
	const proxies = "127.0.0.1 10.0.0.0/8 2001:db8:1::/48 ::ffff:192.168.0.0/112"
	for _, tt := range []struct {
		name, remote string
		header       http.Header
		addr         string
		forwarded    bool
		hidden       bool
	}{
		{"no proxy", "203.0.113.9:1000", nil, "203.0.113.9", false, false},
		{"IPv4 in IPv6", "[::ffff:203.0.113.9]:1000", nil, "203.0.113.9", false, false},
		{"a trusted proxy without the header", "127.0.0.1:1", nil, "127.0.0.1", false, false},
		{"through a proxy", "127.0.0.1:1", http.Header{"X-Forwarded-For": {"198.51.100.7"}}, "198.51.100.7", true, false},
		{"with a port", "127.0.0.1:1", http.Header{"X-Forwarded-For": {"198.51.100.7:4711"}}, "198.51.100.7", true, false},
		{"IPv6", "[2001:db8:1::5]:1", http.Header{"X-Forwarded-For": {"[2001:db8:2::7]:80"}}, "2001:db8:2::7", true, false},
		{"IPv6 without brackets", "127.0.0.1:1", http.Header{"X-Forwarded-For": {"2001:db8:2::7"}}, "2001:db8:2::7", true, false},
		{"through two", "127.0.0.1:1", http.Header{"X-Forwarded-For": {"198.51.100.7, 10.2.3.4"}}, "198.51.100.7", true, false},
		{"a network written as IPv4 in IPv6", "127.0.0.1:1", http.Header{"X-Forwarded-For": {"198.51.100.7, 192.168.3.4"}}, "198.51.100.7", true, false},
		{"in two lines", "127.0.0.1:1", http.Header{"X-Forwarded-For": {"1.2.3.4,198.51.100.7", "10.2.3.4"}}, "198.51.100.7", true, false},
		{"what the client wrote itself", "127.0.0.1:1", http.Header{"X-Forwarded-For": {"127.0.0.1, 10.0.0.1, 198.51.100.7"}}, "198.51.100.7", true, false},
		{"all trusted: the first", "127.0.0.1:1", http.Header{"X-Forwarded-For": {"10.9.9.9,10.0.0.1"}}, "10.9.9.9", true, false},
		{"a local caller of a local proxy", "127.0.0.1:1", http.Header{"X-Forwarded-For": {"127.0.0.1"}}, "127.0.0.1", true, false},
		{"what is no address", "127.0.0.1:1", http.Header{"X-Forwarded-For": {"198.51.100.7, unknown"}}, "127.0.0.1", false, true},
		{"what is no address before a proxy", "127.0.0.1:1", http.Header{"X-Forwarded-For": {"unknown, 10.0.0.1"}}, "10.0.0.1", true, true},
		{"an end without an address", "127.0.0.1:1", http.Header{"X-Forwarded-For": {"198.51.100.7,"}}, "127.0.0.1", false, true},
		{"a proxy that is not trusted", "203.0.113.9:1", http.Header{"X-Forwarded-For": {"198.51.100.7"}}, "203.0.113.9", false, true},
		{"another header of a trusted one", "127.0.0.1:1", http.Header{"Forwarded": {"for=198.51.100.7"}}, "127.0.0.1", false, true},
		{"other headers beside it", "127.0.0.1:1", http.Header{"X-Forwarded-For": {"198.51.100.7"}, "X-Forwarded-Proto": {"https"}}, "198.51.100.7", true, false},
		{"no address of its own", "@", http.Header{"X-Forwarded-For": {"198.51.100.7"}}, "invalid IP", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParseProxies(strings.Fields(proxies))
			if err != nil {
				t.Fatal(err)
			}
			got := p.Peer(&http.Request{RemoteAddr: tt.remote, Header: tt.header})
			if got.Addr.String() != tt.addr || got.Forwarded != tt.forwarded || got.Hidden != tt.hidden {
				t.Errorf("got %+v, want %s, forwarded %v, hidden %v", got, tt.addr, tt.forwarded, tt.hidden)
			}
		})
	}
}

func TestParseProxiesRefuses(t *testing.T) {
	for _, bad := range []string{"", "proxy", "10.0.0.0/33", "10.0.0", "fe80::1%eth0", "*"} {
		if _, err := ParseProxies([]string{bad}); err == nil || !strings.Contains(err.Error(), "10.0.0.0/8") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
