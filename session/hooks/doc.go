// Package hooks lets a backend in any language decide who may log in, who may
// enter a room, and what is said there.
//
//	h, err := hooks.New(nc, hooks.Config{Login: "https://example.com/roomd/login", Join: hooks.OverNATS, Key: key})
//	who := &auth.Authenticator{Guests: guests, Tickets: tickets, Ask: h.Ask()}
//	cfg := session.DefaultConfig()
//	cfg.Hooks = h.Session()
//	manager, err := session.NewManager(engine, who, cfg)
//
// A hook is a NATS request to [LoginSubject], [JoinSubject] or [PublishSubject],
// or, for a site without a NATS client, a POST of the same JSON to a URL. Fields
// and answers are in rooms/wire/README.md.
//
// # What is promised
//
// The backend has [Timeout] to answer, and a node has at most [MaxAsking]
// questions of each hook under way. It is asked once. Only {"error":…} refuses.
// Silence, an answer that makes no sense, a status that is not 2xx, an answer of
// more than [MaxAnswer] bytes, a redirect, or one question too many say nothing
// about the client: that is wire.Unavailable, 503 with Retry-After at the
// handshake, and the client tries again. Who is connected, and what the hook
// has no part in, goes on meanwhile.
//
// A yes to a join with for_s is kept for that long on this node, at most
// [MaxKept] of them and for [MaxKeepFor], until [Hooks.Kicked].
//
// The certificate of a URL must be one that the system trusts, or the file that
// SSL_CERT_FILE names. One that is not, or is over, is as silence.
package hooks
