package node

import (
	"context"
	"fmt"
)

// How the limit of open files is divided.
const (
	// leastFiles is the fewest with which a node is useful.
	leastFiles = 128
	// reservedFiles, and one in reservedPart up to maxReserved more, are kept
	// for the log's files, NATS, and what else the process opens.
	reservedFiles = 64
	reservedPart  = 16
	maxReserved   = 1 << 10
	// One in httpPart of the rest, up to maxHTTP, are for connections that are
	// HTTP: readiness, the API, handshakes.
	httpPart = 4
	maxHTTP  = 1 << 14
)

// fileShares is how the limit of open files is divided.
type fileShares struct {
	limit    int
	nats     int // connections to an embedded NATS, our own included
	http     int // connections that are HTTP
	sessions int // WebSockets
}

// shareFiles divides a limit.
func shareFiles(limit int) fileShares {
	reserve := reservedFiles + min(limit/reservedPart, maxReserved)
	rest := max(limit-reserve, 2)
	http := min(max(rest/httpPart, 1), maxHTTP)
	return fileShares{limit: limit, nats: reserve / 2, http: http, sessions: rest - http}
}

// startFiles raises the limit of open files to the maximum, and divides it.
func (n *Node) startFiles(context.Context) error {
	limit, err := raiseFiles()
	if err != nil {
		return err
	}
	if limit < leastFiles {
		return fmt.Errorf("this process may have %d open files, and needs %d at least; raise the limit (ulimit -n, or LimitNOFILE= of systemd)", limit, leastFiles)
	}
	n.files = shareFiles(limit)
	n.visitors = newVisitors(n.files.http, n.memory.requests, n.cfg.proxies())
	if n.cfg.MaxConnections > n.files.sessions {
		n.log.Warn().Int("max_connections", n.cfg.MaxConnections).Int("open_files", limit).Int("enough_for", n.files.sessions).
			Msg("--max-connections is more than the limit of open files allows, so there is no reserve for readiness, the API and NATS; raise the limit (ulimit -n)")
	}
	n.log.Info().Int("open_files", limit).Int("websockets", n.maxConnections()).Int("http", n.files.http).Msg("connections that this server takes")
	return nil
}

// maxConnections returns how many WebSockets this node accepts.
func (n *Node) maxConnections() int {
	if n.cfg.MaxConnections > 0 {
		return n.cfg.MaxConnections
	}
	return n.files.sessions
}
