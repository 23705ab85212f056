package cli

import (
	"context"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/node"
)

// A supervisor is what started the server and wants to know how it is, by the protocol of
// sd_notify(3): systemd, or what does as it does.
type supervisor struct {
	socket string // empty if nobody wants to know
	log    *slog.Logger
}

func (p *program) supervisor(log *slog.Logger) supervisor {
	s := supervisor{log: log}
	for _, v := range p.env {
		if path, ok := strings.CutPrefix(v, "NOTIFY_SOCKET="); ok {
			s.socket = path
		}
	}
	return s
}

// tell says how the server is. That it could not be said is logged and no failure.
func (s supervisor) tell(lines ...string) {
	if s.socket == "" {
		return
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err == nil {
		_, err = c.Write([]byte(strings.Join(lines, "\n")))
		_ = c.Close()
	}
	if err != nil {
		s.log.Warn("the service manager could not be told (NOTIFY_SOCKET)", "told", lines[0], "err", err)
	}
}

// reloads returns the requests to read the certificates again, which come by SIGHUP. A server
// on a terminal has none: it ends when its terminal is closed.
func (p *program) reloads() (asked chan os.Signal, stop func()) {
	asked = make(chan os.Signal, 1)
	if isTerminal(p.stderr) {
		return asked, func() {}
	}
	signal.Notify(asked, syscall.SIGHUP)
	return asked, func() { signal.Stop(asked) }
}

// watch says that the node is ready, does what is asked, and says at the end of ctx that it
// stops.
func (s supervisor) watch(ctx context.Context, n *node.Node, asked <-chan os.Signal) {
	ready := []string{"READY=1", "STATUS=serving " + n.URL()}
	s.tell(ready...)
	for {
		select {
		case <-ctx.Done():
			s.tell("STOPPING=1", "STATUS=stopping")
			return
		case <-asked:
			s.tell("RELOADING=1", "STATUS=reading the certificates again")
			status := ready[1]
			if err := n.Reload(); err != nil {
				s.log.Error("reload", "err", err)
				status += "; reload failed: " + strings.ReplaceAll(call.Words(err), "\n", "; ")
			} else {
				s.log.Info("reloaded: the certificates in files were read again")
			}
			s.tell(ready[0], status)
		}
	}
}
