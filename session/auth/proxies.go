package auth

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies says whose X-Forwarded-For counts. The zero value is nobody. Immutable.
type Proxies struct{ trusted []netip.Prefix }

// ParseProxies reads addresses ("10.0.0.5", "::1") and networks ("10.0.0.0/8") of proxies.
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
		if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 { // the peers' addresses are compared without this cover
			prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
		}
		p.trusted = append(p.trusted, prefix.Masked())
	}
	return p, nil
}

// Trusts reports whether what comes from this address is a proxy's word.
func (p Proxies) Trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(p.trusted, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// Peer is who made a request, as far as that is certain.
type Peer struct {
	Addr netip.Addr // not valid if the request's own address cannot be read

	// Forwarded: a trusted proxy named the address in X-Forwarded-For.
	Forwarded bool
	// Hidden: a proxy passed the request on, but who made it is not known: the proxy is not trusted, or what it says cannot be
	// read. Addr is then the last one that is known, a proxy's.
	Hidden bool
}

// proxyHeaders are what a proxy adds.
var proxyHeaders = []string{"X-Forwarded-For", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"}

// ProxyHeader is a header of the request that only a proxy adds; "" when there is none.
func ProxyHeader(r *http.Request) string {
	for _, name := range proxyHeaders {
		if r.Header.Get(name) != "" {
			return name
		}
	}
	return ""
}

// Peer is who made the request. Of X-Forwarded-For, to which each proxy adds at the right whom it was called by, the rightmost
// address that is no trusted proxy's counts: what stands left of it may be anybody's invention. If all are trusted it is the
// leftmost.
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

// AddrKey is what is counted by for an address: of IPv6 the /64, which is what one subscriber has at least.
func AddrKey(addr netip.Addr) string {
	if addr.Is6() && !addr.IsLoopback() {
		return netip.PrefixFrom(addr, 64).Masked().String()
	}
	return addr.String()
}

// AddrOf reads an address, with a port or without, in the one spelling that is compared. What is none is not valid.
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
