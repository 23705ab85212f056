package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/datadir"
)

// withPages serves GET and HEAD with the pages, and all other requests with others.
func withPages(pages, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			// A page is short, but the answer to a command may take any time.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute))
			pages.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

// adminPorts are the ways to look after the server: the socket in the data folder, for commands and
// monitoring, and a port for monitoring if the operator asks for one.
type adminPorts struct {
	socket  net.Listener
	monitor net.Listener // nil if there is none
}

// openAdmin listens on the socket, and on monitor if that is not empty.
func openAdmin(data, monitor string) (a adminPorts, err error) {
	if a.socket, err = admin.Listen(datadir.Socket(data)); err != nil || monitor == "" {
		return a, err
	}
	if a.monitor, err = net.Listen("tcp", monitor); err != nil {
		return a, errors.Join(fmt.Errorf("--admin-listen: %w", err), a.socket.Close())
	}
	return a, nil
}

// close closes the listeners that serving has not closed.
func (a *adminPorts) close() error {
	_ = a.socket.Close()
	if a.monitor != nil {
		_ = a.monitor.Close()
	}
	return nil
}

// serveAdmin makes g serve both until ctx is done. Commands work on the node's store.
func (n *Node) serveAdmin(ctx context.Context, g *errgroup.Group, able *readiness) {
	log := n.c.Log
	pages := newWatch(n).pages(func(asked context.Context) error { return able.check(asked, ctx) })
	commands := admin.Handler(n.forCommands(ctx))
	g.Go(func() error {
		return serveHTTP(ctx, n.ports.socket, withPages(pages, commands), log)
	})
	if n.ports.monitor != nil {
		log.Info("monitoring", "address", n.ports.monitor.Addr().String())
		g.Go(func() error { return serveHTTP(ctx, n.ports.monitor, pages, log) })
	}
}
