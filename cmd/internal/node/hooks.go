package node

import (
	"context"
	"strings"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/hooks"
)

// The names of hooks in --hook.
const (
	hookLogin   = "login"
	hookJoin    = "join"
	hookPublish = "publish"
)

// hookAddresses are the addresses of the hooks by name, as hooks.Config has
// them.
func (c Config) hookAddresses() (map[string]string, *FlagError) {
	addresses := make(map[string]string)
	for _, hook := range c.Hook {
		name, address, has := strings.Cut(hook, "=")
		switch name {
		case hookLogin, hookJoin, hookPublish:
		default:
			return nil, wrong("hook", "there is no hook %q; write login, join or publish", name)
		}
		if !has {
			address = hooks.OverNATS
		}
		if addresses[name] != "" {
			return nil, wrong("hook", "the %s hook is named twice; keep one", name)
		}
		if has && !strings.Contains(address, "://") {
			return nil, wrong("hook", "the address of the %s hook is no URL; write %s=https://example.com/roomd/%s, or %s alone to ask over NATS", name, name, name, name)
		}
		addresses[name] = address
	}
	return addresses, nil
}

// asksLogin reports whether there is a login hook.
func (c Config) asksLogin() bool {
	addresses, mistake := c.hookAddresses()
	return mistake == nil && addresses[hookLogin] != ""
}

// hooksConfig is the configuration of the hooks, but for what a node adds.
func (c Config) hooksConfig() (hooks.Config, *FlagError) {
	addresses, mistake := c.hookAddresses()
	if mistake != nil {
		return hooks.Config{}, mistake
	}
	origins, err := auth.ParseOrigins(c.AllowOrigin)
	if err != nil {
		return hooks.Config{}, wrong("allow-origin", "%v", strings.TrimPrefix(err.Error(), "auth: "))
	}
	return hooks.Config{
		Login: addresses[hookLogin], Join: addresses[hookJoin], Publish: addresses[hookPublish],
		Headers: c.HookHeader, Key: []byte(c.HookKey), Proxies: c.proxies(), Origins: origins,
	}, nil
}

func checkHooks(c Config) *FlagError {
	addresses, mistake := c.hookAddresses()
	if mistake != nil {
		return mistake
	}
	posted := false
	for name, address := range addresses {
		if err := hooks.CheckAddress(name, address); err != nil {
			return wrong("hook", "%s", strings.TrimPrefix(err.Error(), "hooks: "))
		}
		posted = posted || address != hooks.OverNATS
	}
	switch {
	case len(c.HookHeader) > 0 && addresses[hookLogin] == "":
		return wrong("hook-header", "it is for the login hook, and there is none; write --hook login (%s) too, or leave this out", EnvName("hook"))
	case posted && c.HookKey == "":
		return wrong("hook-key", "what is posted to a URL of --hook is signed; set %s in the environment, or --hook-key-file FILE, to a key such as the output of openssl rand -hex 32", EnvName("hook-key"))
	case !posted && c.HookKey != "":
		return wrong(secretSource("hook-key", c.HookKeyFile), "it signs what is posted to a URL, and no --hook has one; leave it out")
	case posted && len(c.HookKey) < hooks.MinKey:
		return wrong(secretSource("hook-key", c.HookKeyFile), "the key has %d bytes; write at least %d, such as the output of openssl rand -hex 32", len(c.HookKey), hooks.MinKey)
	}
	cfg, mistake := c.hooksConfig()
	if mistake != nil {
		return mistake
	}
	if err := cfg.Validate(); err != nil {
		return wrong("hook-header", "%s", strings.TrimPrefix(err.Error(), "hooks: "))
	}
	return nil
}

// startHooks starts the hooks. It connects to NATS only if one is configured.
func (n *Node) startHooks(context.Context) error {
	cfg, mistake := n.cfg.hooksConfig()
	if mistake != nil {
		return mistake
	}
	if len(n.cfg.Hook) == 0 {
		return nil
	}
	cfg.Node, cfg.Log = n.engine.Node(), n.log
	nc, err := n.conn.Connect("roomd " + cfg.Node + " hooks")
	if err != nil {
		return err
	}
	n.asking = nc
	h, err := hooks.New(nc, cfg)
	if err != nil {
		return err
	}
	n.hooks.Store(h)
	n.who.Ask = h.Ask()
	return nil
}

// kicked is called by the engine, which is created before the hooks.
func (n *Node) kicked(room wire.Room, uid string) {
	if h := n.hooks.Load(); h != nil {
		h.Kicked(room, uid)
	}
	if m := n.manager.Load(); m != nil && room == "" {
		m.UserEnded(uid)
	}
}

// hookStats are the counters of the hooks; all 0 where there are none.
func (n *Node) hookStats() *hooks.Stats {
	if h := n.hooks.Load(); h != nil {
		return h.Stats()
	}
	return new(hooks.Stats)
}

// stopHooks closes the hooks, after the clients.
func (n *Node) stopHooks() error {
	if n.asking == nil {
		return nil
	}
	defer n.asking.Close()
	if h := n.hooks.Load(); h != nil {
		return h.Close()
	}
	return nil
}
