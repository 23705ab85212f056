package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/trunklog/trunklog/door"
)

// A tlsListener marks a listener whose connections speak TLS. net/http does the handshake, so that
// it can offer HTTP/2.
type tlsListener struct {
	net.Listener
	certs certificates
}

// connection is the key of a request's connection in its context.
type connection struct{}

// ofUse notes that a request has a valid token, so that the door keeps its connection until all
// requests on it have their answers. Without a token, the door may close the connection to make
// room for others, also while the body of a request for a token arrives. An honest such request
// takes so little time that its connection is not among those that have waited longest.
func ofUse(r *http.Request) {
	if c, ok := r.Context().Value(connection{}).(net.Conn); ok {
		door.Busy(c)
	}
}

// newServer returns a server that lets the door close its idle connections to make room for others.
func newServer(ctx context.Context, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, ok := r.Context().Value(connection{}).(net.Conn); ok {
				door.Asked(c)
			}
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       0, // the admin socket reads batches of any length; routes bounds the others
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    2 * maxHead, // between maxHead and this, the server refuses in Graph's words
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connection{}, c)
		},
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateActive || state == http.StateIdle {
				door.Waiting(c) // see ofUse
			}
		},
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		HTTP2:       &http.HTTP2Config{MaxConcurrentStreams: 100},
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
}

// serveHTTP serves a listener until ctx is done, and then gives the requests in progress ten
// seconds to end.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	srv := newServer(ctx, h, log)
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err := srv.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = srv.Close()
		}
		done <- err
	}()
	var err error
	if t, ok := l.(*tlsListener); ok {
		srv.TLSConfig = t.certs.TLS()
		err = srv.ServeTLS(t.Listener, "", "")
	} else {
		err = srv.Serve(l)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}

// listen opens the ports: HTTPS, and plain HTTP if the operator asks for it.
func listen(c *Config, d *door.Door, certs certificates, roots *roots) ([]net.Listener, error) {
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	all := []net.Listener{&tlsListener{d.Clients(tlsPort{l, roots}), certs}}
	if c.ListenHTTP == "" {
		return all, nil
	}
	plain, err := net.Listen("tcp", c.ListenHTTP)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--listen-http: %w", err), l.Close())
	}
	return append(all, d.Clients(plain)), nil
}
