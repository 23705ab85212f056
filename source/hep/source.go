package hep

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Options are what a [Source] needs besides its URL. The zero value works.
type Options struct {
	Log *slog.Logger // nil logs nothing
	// Now is the clock to which the source compares the times of packets; nil is [time.Now].
	Now func() time.Time
	// Raw asks for [call.Signal.Raw], because messages are kept.
	Raw bool
	// Reject gets a sample of packets and messages that the source refuses, takes without an
	// unreadable part, or gives another time: at most one a second for each [Cause]. Its arguments
	// are the cause's name, and a text that describes the packet without its secrets and belongs to
	// the receiver. Several goroutines call it, and the source waits while it runs. It may be nil.
	Reject func(cause string, sample []byte)
	// ReadFile reads the files that a URL names; nil is [os.ReadFile].
	ReadFile func(name string) ([]byte, error)
	// TLS returns the configuration with the server's certificate: from the files that a URL of
	// hep+tls names or, if it names none, the server's own. If TLS is nil, the URL must name files,
	// and the source reads them once.
	TLS func(certFile, keyFile string) (*tls.Config, error)
	// SenderCA returns the server's own authority of senders, for a URL with client-cert that names
	// no other; nil has none.
	SenderCA func() (*x509.CertPool, error)
	// Listener returns the listener to use in place of l, so that the caller can bound this
	// source's connections together with others; nil is l itself.
	Listener func(l net.Listener) net.Listener
	// From returns the sink for the events of a sender whose certificate names these hosts; it
	// replaces the sink of Run. nil is the sink of Run.
	From func(names []string) call.Sink
	// Known gets each connection, as Listener's returned it, once the source has understood a
	// message that came on it; nil is not called.
	Known func(c net.Conn)
}

// A Source listens for HEP packets at one address. It is a [call.Source].
//
// HEP has no acknowledgements, so a sender never learns that a message is durable. Over TCP and TLS
// no message is lost while both ends run: if the sink is slow, the sender waits. Over UDP the
// messages that come while the sink is slow are lost, and counted.
type Source struct {
	settings
	o     Options
	count counters
	said  [NumCauses]lastTime // when Reject was last called, by Cause

	logged [NumRefusals]lastTime // when turnAway last wrote to the log, by Refusal

	mu     sync.Mutex
	stream net.Listener   // opened by Listen, until Run or Close takes it
	packet net.PacketConn // likewise, for UDP
	addr   net.Addr
}

// New returns a source for a URL:
//
//	hep+udp://HOST:PORT
//	hep+tcp://HOST:PORT
//	hep+tls://HOST:PORT?cert=FILE&key=FILE
//
// An empty HOST means all addresses of the machine. The parameters are
//
//	tenant       whose calls these are, by name or GUID
//	trunk        the host name of the trunk, for messages that do not tell it
//	microsoft    addresses and networks, with commas between them, that stand
//	             for Microsoft's SIP proxies
//	auth         the key that packets must carry, or
//	auth-file    the file that holds it
//	idle         how long, in all, the source waits for the rest of a packet over
//	             TCP or TLS, and for a TLS handshake; 30s by default
//	connections  how many senders there may be at once, over TCP or TLS; 10000
//	             by default
//	cert, key    files with the server's certificate and its key, for TLS
//	client-ca    a file with the authorities of clients' certificates, for TLS
//	client-cert  required, which it is by default, or optional; without client-ca
//	             and sender-name, of certificates of the server's own authority
//	sender-name  DNS names and addresses with commas between them: only senders
//	             connect whose certificate is for one of these. It may be one of
//	             a server. Without client-ca the system's authorities count
//
// An error in the URL wraps [call.ErrInvalid]. Errors do not quote the auth key.
func New(u *url.URL, o Options) (*Source, error) {
	o.Now = orElse(o.Now, time.Now)
	o.ReadFile = orElse(o.ReadFile, os.ReadFile)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	s := &Source{o: o}
	if err := s.parse(u, &o); err != nil {
		return nil, fmt.Errorf("source %s: %w", show(u), err)
	}
	return s, nil
}

func orElse[F func() time.Time | func(string) ([]byte, error)](f, other F) F {
	if f == nil {
		return other
	}
	return f
}

// show returns u without its parameters, because auth is a secret.
func show(u *url.URL) string { return u.Scheme + "://" + u.Host }

// About implements [call.Source]. Only a certificate authenticates a sender: the auth key is no
// proof, because it travels in clear text in every packet.
func (s *Source) About() call.About {
	a := call.About{
		Kind: "hep+" + s.network, Tenant: s.tenant, Trunk: s.trunk, Microsoft: slices.Clone(s.microsoft),
		Authenticated: s.certRequired, Seen: s.count.seen.time(),
	}
	if at := s.Addr(); at != nil {
		a.Address = at.String()
	}
	return a
}

// Listen opens the socket, so that the caller learns before [Source.Run] whether that is possible.
// Without it Run opens the socket.
func (s *Source) Listen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream != nil || s.packet != nil {
		return nil
	}
	var err error
	if s.network == "udp" {
		s.packet, err = s.listenUDP(ctx)
		if err == nil {
			s.addr = s.packet.LocalAddr()
		}
	} else {
		s.stream, err = s.listenTCP(ctx)
		if err == nil {
			s.addr = s.stream.Addr()
		}
	}
	if err != nil {
		return fmt.Errorf("listen for HEP: %w", err)
	}
	return nil
}

// Addr returns the address at which the source listens, or nil before Listen.
func (s *Source) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Close closes the socket if Listen opened it and [Source.Run] was never called. After Run there is
// nothing left to close.
func (s *Source) Close() error {
	stream, packet := s.take()
	switch {
	case stream != nil:
		return stream.Close()
	case packet != nil:
		return packet.Close()
	}
	return nil
}

// take returns what Listen opened; the caller closes it.
func (s *Source) take() (net.Listener, net.PacketConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stream, packet := s.stream, s.packet
	s.stream, s.packet = nil, nil
	return stream, packet
}

// grace is how long the sink may take, once ctx of Run is done, for the messages that the source
// has already received.
const grace = 5 * time.Second

// Run implements [call.Source]: it puts an event for each SIP message, with its Call-ID and its
// Signal, until ctx is done, and then returns nil. It still puts the messages that it had received
// by then, if the sink takes them within five seconds. There are no marks, because a HEP sender
// does not send a message again.
//
// Run tries again while the sink is full ([call.ErrFull]). It returns any other error of the sink.
func (s *Source) Run(ctx context.Context, _ string, sink call.Sink) error {
	if err := s.Listen(ctx); err != nil {
		return err
	}
	stream, packet := s.take()
	puts, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, stop) })()
	var err error
	if packet != nil {
		err = s.runUDP(ctx, puts, packet, sink)
	} else {
		err = s.runTCP(ctx, puts, stream, sink)
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("hear HEP at %s: %w", s.Addr(), err)
	}
	return nil
}

// The shortest and longest pause between two tries to put events into a full sink.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// put puts events, and tries again while the sink is full.
func put(ctx context.Context, sink call.Sink, events []call.Event) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		out, err := sink.Put(ctx, events...)
		if err == nil || !errors.Is(err, call.ErrFull) {
			return errors.Join(err, out.Err()) // a sink rejects no message, so an outcome's error is unexpected
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
	}
}
