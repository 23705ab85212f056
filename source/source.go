// Package source is the table of inputs that report calls as they happen. A URL names a source; a
// folder of its own knows what the URL means, and the table below has a line for it.
//
// The package does not know what becomes of the events.
package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/share"
	"github.com/trunklog/trunklog/source/hep"
	"github.com/trunklog/trunklog/source/pcap"
	"github.com/trunklog/trunklog/source/push"
)

// Options are what sources need besides their URLs. The zero value works for those that listen at
// an address of their own.
type Options struct {
	Log *slog.Logger // nil logs nothing
	Now func() time.Time
	// Raw says that the store keeps SIP messages, so that the source must deliver their texts.
	Raw bool
	// Reject receives, now and then, a sample of input that the source could not read, without
	// credentials, and the cause. Many goroutines may call it.
	Reject func(cause string, sample []byte)
	// TLS returns the server's own certificate, or that in the given files.
	TLS func(certFile, keyFile string) (*tls.Config, error)
	// SenderCA returns the server's own authority of senders, for sources that name no other; nil has
	// none.
	SenderCA func() (*x509.CertPool, error)
	// Listener bounds the connections of all sources and of others together; nil is no bound.
	Listener func(net.Listener) net.Listener
	// Known receives each connection that came through Listener once the source has understood
	// something on it; nil is none.
	Known func(net.Conn)
	// From returns the sink for the messages of a sender that has proved to be one of some DNS
	// names, in place of the sink of Run.
	From func(names []string) call.Sink
	// Of returns the sink for the events of a sender whose tenant is known. All other events go to
	// the sink of Run.
	Of func(sender string, tenant call.GUID) call.Sink
	// Requests are for sources that serve requests on the server's own ports.
	Requests Requests
}

// Requests are what a [Served] source needs to answer requests.
type Requests struct {
	// Authorize says who sends a request with records of that kind; Fail answers with
	// an error, Authorize's too.
	Authorize func(r *http.Request, kind call.Kind) (push.Admission, error)
	Fail      func(w http.ResponseWriter, r *http.Request, c push.Caller, err error)
	Decode    call.Decoder // of rows in Graph's form
	State     push.State
	Timeout   time.Duration // how long the store may take for a part of a request
	Turns     *share.Turns[call.GUID]
}

// A Source reports calls, from its own listener or from requests on the server's ports.
type Source interface {
	call.Source
	call.Counter
	// Listen opens the source's listener. Run does so otherwise; an early call reveals errors
	// before the program says that it is ready.
	Listen(ctx context.Context) error
	// Close releases all that the source holds. The caller calls it after Run has returned, or
	// without Run.
	Close() error
	// About describes the source, at any time.
	About() call.About
}

// A Served source serves requests on the server's own ports, at its path, which begins with
// /ingest/. It writes every answer itself, refusals included.
type Served interface {
	Source
	http.Handler
	Path() string
}

// A Kind is a line of the table.
type Kind struct {
	// Schemes are those of the URLs that name a source of the kind.
	Schemes []string
	// Standing is the name of the kind's one source that every server has; empty if the operator
	// names each source.
	Standing string
	Open     func(u *url.URL, o Options) (Source, error)
}

// A Table is a list of kinds.
type Table []Kind

// Kinds returns the table.
func Kinds() Table {
	return Table{
		{Schemes: []string{"hep+udp", "hep+tcp", "hep+tls"}, Open: openHEP},
		{Schemes: []string{push.Kind}, Standing: "http", Open: openPush},
	}
}

func openHEP(u *url.URL, o Options) (Source, error) {
	return hep.New(u, hep.Options{Log: o.Log, Now: o.Now, Raw: o.Raw, Reject: o.Reject, TLS: o.TLS, SenderCA: o.SenderCA, Listener: o.Listener, From: o.From, Known: o.Known})
}

func openPush(_ *url.URL, o Options) (Source, error) {
	c := push.Config{
		Decode: o.Requests.Decode, Authorize: o.Requests.Authorize, Fail: o.Requests.Fail, State: o.Requests.State,
		Sink: func(c push.Caller) call.Sink { return o.Of(c.Client, c.Tenant) },
		Now:  o.Now, Log: o.Log, PutTimeout: o.Requests.Timeout, Turns: o.Requests.Turns,
	}
	if o.Reject != nil {
		c.Reject = func(s push.Sample) { o.Reject(fmt.Sprintf("%s: line %d: %s", s.Cause, s.Line, s.Reason), s.Raw) }
	}
	return push.New(c), nil
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Open returns the source of spec: NAME=URL, such as "sbc1=hep+tcp://:9060?tenant=contoso". Ids of
// rows without an id of their own depend on the name, so it must stay the same. Open calls options
// once, with the name. Errors wrap [call.ErrInvalid] if spec is to blame.
func (t Table) Open(spec string, options func(name string) Options) (name string, s Source, err error) {
	name, u, kind, err := t.parse(spec)
	if err != nil {
		return "", nil, err
	}
	if s, err = kind.Open(u, options(name)); err != nil {
		return "", nil, fmt.Errorf("source %s: %w", name, err)
	}
	return name, s, nil
}

func (t Table) parse(spec string) (name string, u *url.URL, kind Kind, err error) {
	name, location, ok := strings.Cut(spec, "=")
	if !ok || !nameForm.MatchString(name) {
		shown, _, _ := strings.Cut(spec, "://") // the rest may hold a password
		return "", nil, kind, fmt.Errorf("%w: source %.80q: NAME=URL is needed, the name of 1 to 63 of a-z, 0-9, '.', '_', '-', such as sbc1=hep+tcp://:9060", call.ErrInvalid, shown)
	}
	if u, err = url.Parse(location); err != nil {
		return "", nil, kind, fmt.Errorf("%w: source %s: what follows = is no URL", call.ErrInvalid, name)
	}
	var possible []string
	for _, k := range t {
		switch {
		case k.Standing == name:
			return "", nil, kind, fmt.Errorf("%w: source %s: that is the name of the source of the kind %s, which is always there: choose another", call.ErrInvalid, name, k.Schemes[0])
		case k.Standing != "" && slices.Contains(k.Schemes, u.Scheme):
			return "", nil, kind, fmt.Errorf("%w: source %s: a source of the kind %s is always there, by the name of %s: leave this one out", call.ErrInvalid, name, u.Scheme, k.Standing)
		case k.Standing == "":
			possible = append(possible, k.Schemes...)
		}
		if slices.Contains(k.Schemes, u.Scheme) {
			kind = k
		}
	}
	if kind.Open == nil {
		last := len(possible) - 1
		return "", nil, kind, fmt.Errorf("%w: source %s: unknown kind %q: %s and %s are possible", call.ErrInvalid, name, u.Scheme, strings.Join(possible[:last], ", "), possible[last])
	}
	return name, u, kind, nil
}

// Standing opens the sources that every server has, and passes each to take, until that fails. It
// calls options as [Table.Open] does.
func (t Table) Standing(options func(name string) Options, take func(name string, s Source) error) error {
	for _, k := range t {
		if k.Standing == "" {
			continue
		}
		s, err := k.Open(&url.URL{Scheme: k.Schemes[0]}, options(k.Standing))
		if err != nil {
			return fmt.Errorf("source %s: %w", k.Standing, err)
		}
		if err := take(k.Standing, s); err != nil {
			return err
		}
	}
	return nil
}

// recordings is the table of saved inputs with SIP messages: the stream of a source, and captures
// of network packets.
var recordings = []struct {
	kind  string
	open  func(now func() time.Time, note func(text string)) call.Decoder
	looks func(head []byte) bool
}{
	{"hep", hep.DecoderAt, hep.Looks},
	{"pcap", pcap.Decoder, pcap.Looks},
}

// Recording returns the decoder of a saved input of the given kind, and whether there is such a
// kind. Its events are SIP messages. Those without a time get that of now; note, which may be nil,
// receives a sentence for the importing user on everything left out on purpose.
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

// LooksRecorded returns the kind of saved input whose files begin like head, and whether there is
// one.
func LooksRecorded(head []byte) (kind string, ok bool) {
	for _, r := range recordings {
		if r.looks(head) {
			return r.kind, true
		}
	}
	return "", false
}
