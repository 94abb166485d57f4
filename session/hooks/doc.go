// Package hooks lets a backend in any language decide who may log in, who may
// join a room, and what may be published there.
//
//	h, err := hooks.New(nc, hooks.Config{Login: "https://example.com/roomd/login", Join: hooks.OverNATS, Key: key})
//	who := &auth.Authenticator{Guests: guests, Tickets: tickets, Ask: h.Ask()}
//	cfg := session.DefaultConfig()
//	cfg.Hooks = h.Session()
//	manager, err := session.NewManager(engine, who, cfg)
//
// A hook is a NATS request to [LoginSubject], [JoinSubject] or
// [PublishSubject], or, for a site without a NATS client, a POST of the same
// JSON to a URL. The fields of requests and responses are in
// rooms/wire/README.md.
//
// # What is promised
//
// The backend has [Timeout] to respond, and a node has at most [MaxInFlight]
// requests of each hook in flight. Requests are not retried. Only {"error":…}
// refuses. A timeout, an invalid response, a status other than 2xx, a response
// of more than [MaxResponse] bytes, a redirect, or too many requests in flight
// say nothing about the client: it gets wire.Unavailable, at the handshake 503
// with Retry-After, and tries again. Existing connections, and everything that
// calls no hook, are not affected.
//
// A join that is allowed with for_s is cached for so many seconds on this node,
// at most [MaxCacheTTL], and at most [MaxCached] of them, until [Hooks.Kicked].
//
// The certificate of a URL must be signed by an authority that the system
// trusts, or one in the file that SSL_CERT_FILE names. Otherwise, or if it has
// expired, the call fails as by a timeout.
package hooks
