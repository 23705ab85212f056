// Package source is the table of inputs: what hears calls as they happen. A
// source is named by a URL; a folder of its own knows what the URL means, and
// there is one line for it in the table below.
//
// It does not know what becomes of the events.
package source

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/source/hep"
	"github.com/trunklog/trunklog/source/pcap"
)

// Options are what sources need besides their URLs. The zero value works.
type Options struct {
	Log *slog.Logger // nil logs nothing
	Now func() time.Time
	// Raw says that SIP messages are kept, so that their texts are wanted.
	Raw bool
	// Reject is told, now and then, of what could not be understood: why, and a
	// sample that holds no credentials. It may be called from many goroutines.
	Reject func(cause string, sample []byte)
	// TLS returns the server's own certificate, or that in the given files.
	TLS func(certFile, keyFile string) (*tls.Config, error)
	// Listener bounds the connections of all sources and of others together; nil
	// is no bound.
	Listener func(net.Listener) net.Listener
	// Known is told of each connection that came through Listener once something
	// is understood of what is sent on it; nil is told nothing.
	Known func(net.Conn)
}

// A Source hears calls at an address.
type Source interface {
	call.Source
	// Listen opens the address, which Run does otherwise, and Close closes it
	// if Run is not called.
	Listen(ctx context.Context) error
	Close() error
	// Addr returns the address once it is open.
	Addr() net.Addr

	// Tenant returns the name or GUID of the tenant that the URL names, Trunk
	// the host name of the trunk, and Microsoft the further addresses of
	// Microsoft's SIP proxies, if it does.
	Tenant() string
	Trunk() string
	Microsoft() []netip.Prefix
	// Authenticated reports whether senders have proved who they are.
	Authenticated() bool
}

// sources is the table, by what the scheme of a URL begins with.
var sources = []struct {
	scheme string
	open   func(u *url.URL, o Options) (Source, error)
}{
	{"hep+", openHEP},
}

func openHEP(u *url.URL, o Options) (Source, error) {
	return hep.New(u, hep.Options{Log: o.Log, Now: o.Now, Raw: o.Raw, Reject: o.Reject, TLS: o.TLS, Listener: o.Listener, Known: o.Known})
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Open returns the source that spec names: NAME=URL, such as
// "sbc1=hep+tcp://:9060?tenant=contoso". The name is part of the ids of rows
// whose source has none of its own, so it must stay the same. Errors wrap
// [call.ErrInvalid] if spec is to blame.
func Open(spec string, o Options) (name string, s Source, err error) {
	name, location, ok := strings.Cut(spec, "=")
	if !ok || !nameForm.MatchString(name) {
		shown, _, _ := strings.Cut(spec, "://") // what follows may have a password in it
		return "", nil, fmt.Errorf("%w: source %.80q: NAME=URL is needed, the name of 1 to 63 of a-z, 0-9, '.', '_', '-', such as sbc1=hep+tcp://:9060", call.ErrInvalid, shown)
	}
	u, err := url.Parse(location)
	if err != nil {
		return "", nil, fmt.Errorf("%w: source %s: what follows = is no URL", call.ErrInvalid, name)
	}
	for _, kind := range sources {
		if strings.HasPrefix(u.Scheme, kind.scheme) {
			s, err := kind.open(u, o)
			if err != nil {
				return "", nil, fmt.Errorf("source %s: %w", name, err)
			}
			return name, s, nil
		}
	}
	return "", nil, fmt.Errorf("%w: source %s: unknown kind %q: hep+udp, hep+tcp and hep+tls are possible", call.ErrInvalid, name, u.Scheme)
}

// recordings is the table of saved inputs of which SIP messages come: what a
// source hears, and what was captured on the wire.
var recordings = []struct {
	kind  string
	open  func(now func() time.Time, note func(text string)) call.Decoder
	looks func(head []byte) bool
}{
	{"hep", hep.DecoderAt, hep.Looks},
	{"pcap", pcap.Decoder, pcap.Looks},
}

// Recording returns the decoder of a saved input of the given kind, and whether
// there is such a kind. Its events are SIP messages. Those without a time of
// their own are given that of now; note, which may be nil, is told what is left
// out on purpose, in words for whoever imports it.
func Recording(kind string, now func() time.Time, note func(text string)) (call.Decoder, bool) {
	for _, r := range recordings {
		if r.kind == kind {
			return r.open(now, note), true
		}
	}
	return nil, false
}

// Recordings returns the kinds of saved inputs.
func Recordings() []string {
	kinds := make([]string, len(recordings))
	for i, r := range recordings {
		kinds[i] = r.kind
	}
	return kinds
}

// LooksRecorded returns the kind of saved input that a file looks like which begins
// with head, and whether there is one.
func LooksRecorded(head []byte) (kind string, ok bool) {
	for _, r := range recordings {
		if r.looks(head) {
			return r.kind, true
		}
	}
	return "", false
}
