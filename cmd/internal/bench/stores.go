package bench

import (
	"strings"
)

// What a program stores of what is said: a figure means nothing without it.
const (
	storesNothing  = "nothing"
	storesOnDisk   = "every message on disk in JetStream"
	storesInMemory = "every message in memory in JetStream"
	storesSignals  = "nothing, as signals go past the log"
	storesInRedis  = "every message in a Redis stream with an append-only file"
	storesUnknown  = "as it was started"
)

// roomdStores is what roomd stores, started with the bench's flags and those of
// --server-flag, of which the last counts.
func (c *Command) roomdStores() string {
	switch {
	case c.Unlogged:
		return storesSignals
	case c.URL != "":
		return storesUnknown
	}
	where := storesOnDisk
	for i, flag := range c.ServerFlag {
		value, ok := strings.CutPrefix(flag, "--store=")
		if flag == "--store" && i+1 < len(c.ServerFlag) {
			value, ok = c.ServerFlag[i+1], true
		}
		switch {
		case ok && value == "memory":
			where = storesInMemory
		case ok:
			where = storesOnDisk
		}
	}
	return where
}

// storesLine says which program stores what; those that store nothing come
// last, together.
func storesLine(servers []*program) string {
	var texts []string
	names := make(map[string][]string)
	for _, p := range servers {
		if names[p.stores] == nil && p.stores != storesNothing {
			texts = append(texts, p.stores)
		}
		names[p.stores] = append(names[p.stores], p.name)
	}
	if names[storesNothing] != nil {
		texts = append(texts, storesNothing)
	}
	for i, text := range texts {
		texts[i] = strings.Join(names[text], ", ") + ": " + text
	}
	return "Stored by " + strings.Join(texts, "; ") + "."
}
