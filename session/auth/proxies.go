package auth

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the trusted proxies, whose X-Forwarded-For is believed. The zero
// value is none. It is immutable.
type Proxies struct{ trusted []netip.Prefix }

// ParseProxies parses addresses ("10.0.0.5", "::1") and networks ("10.0.0.0/8")
// of proxies.
func ParseProxies(list []string) (Proxies, error) {
	var p Proxies
	for _, item := range list {
		prefix, err := netip.ParsePrefix(item)
		if err != nil {
			addr, addrErr := netip.ParseAddr(item)
			if addrErr != nil || addr.Zone() != "" {
				return Proxies{}, fmt.Errorf("auth: the proxy %q is no address and no network; expected one such as 10.0.0.5 or 10.0.0.0/8", item)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 { // peers' addresses are unmapped before they are compared
			prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
		}
		p.trusted = append(p.trusted, prefix.Masked())
	}
	return p, nil
}

// Trusts reports whether the address is a trusted proxy's.
func (p Proxies) Trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(p.trusted, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// Peer is where a request comes from, as far as that is certain.
type Peer struct {
	Addr netip.Addr // the zero Addr if the request's RemoteAddr cannot be parsed

	// Forwarded: Addr is from the X-Forwarded-For of a trusted proxy.
	Forwarded bool
	// Hidden: the request came through a proxy, and the client's address is not
	// known: the proxy is not trusted, or its X-Forwarded-For cannot be parsed.
	// Addr is then that of the proxy.
	Hidden bool
}

// proxyHeaders are the headers that proxies add.
var proxyHeaders = []string{"X-Forwarded-For", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"}

// ProxyHeader returns the name of a header of the request that only a proxy
// adds; "" if there is none.
func ProxyHeader(r *http.Request) string {
	for _, name := range proxyHeaders {
		if r.Header.Get(name) != "" {
			return name
		}
	}
	return ""
}

// Peer returns where the request comes from. Each proxy appends the address of
// its caller to X-Forwarded-For, so the rightmost address that is no trusted
// proxy's is returned: those left of it may be forged. If all are trusted it is
// the leftmost.
func (p Proxies) Peer(r *http.Request) Peer {
	peer := Peer{Addr: AddrOf(r.RemoteAddr)}
	if !peer.Addr.IsValid() || !p.Trusts(peer.Addr) {
		peer.Hidden = ProxyHeader(r) != ""
		return peer
	}
	lines := r.Header["X-Forwarded-For"]
	if len(lines) == 0 {
		peer.Hidden = ProxyHeader(r) != ""
		return peer
	}
	for _, line := range slices.Backward(lines) {
		for line != "" {
			cut := strings.LastIndexByte(line, ',')
			hop := AddrOf(strings.TrimSpace(line[cut+1:]))
			line = line[:max(cut, 0)]
			if !hop.IsValid() {
				peer.Hidden = true
				return peer
			}
			peer.Addr, peer.Forwarded = hop, true
			if !p.Trusts(hop) {
				return peer
			}
		}
	}
	return peer
}

// AddrKey returns the key for limits per address: the address, or of IPv6 its
// /64, which is the least that one subscriber has.
func AddrKey(addr netip.Addr) string {
	if addr.Is6() && !addr.IsLoopback() {
		return netip.PrefixFrom(addr, 64).Masked().String()
	}
	return addr.String()
}

// AddrOf parses an address, with or without a port, and normalizes it:
// unmapped, without a zone. It returns the zero Addr if s is none.
func AddrOf(s string) netip.Addr {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
