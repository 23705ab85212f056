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

// Options are what sources need besides their URLs. The zero value works for those
// that listen at an address of their own.
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
	// Of returns where the events of one of the source's senders go, whose tenant
	// is known: in place of the sink of Run, which all other events go to.
	Of func(sender string, tenant call.GUID) call.Sink
	// Requests are for sources that are asked on the server's own ports.
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

// A Source hears calls: where it listens, or by what it is handed.
type Source interface {
	call.Source
	call.Counter
	// Listen opens what the source listens at, which Run does otherwise, so that
	// what is wrong with it is known before the program says that it is ready.
	Listen(ctx context.Context) error
	// Close lets go of all that the source holds, once Run has returned or if it
	// was never called.
	Close() error
	// About says what the source is, at any time.
	About() call.About
}

// A Served source is asked on the server's own ports, at its path, which begins with
// /ingest/. What it answers, refusals included, is its own.
type Served interface {
	Source
	http.Handler
	Path() string
}

// A Kind is a line of the table.
type Kind struct {
	// Schemes are those of the URLs that name a source of the kind.
	Schemes []string
	// Standing is the name of the one source of the kind that every server has
	// without being told; empty if the operator names each.
	Standing string
	Open     func(u *url.URL, o Options) (Source, error)
}

// A Table is the kinds that there are.
type Table []Kind

// Kinds returns the table.
func Kinds() Table {
	return Table{
		{Schemes: []string{"hep+udp", "hep+tcp", "hep+tls"}, Open: openHEP},
		{Schemes: []string{push.Kind}, Standing: "http", Open: openPush},
	}
}

func openHEP(u *url.URL, o Options) (Source, error) {
	return hep.New(u, hep.Options{Log: o.Log, Now: o.Now, Raw: o.Raw, Reject: o.Reject, TLS: o.TLS, Listener: o.Listener, Known: o.Known})
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

// Open returns the source that spec names: NAME=URL, such as
// "sbc1=hep+tcp://:9060?tenant=contoso". The name is part of the ids of rows
// whose source has none of its own, so it must stay the same. The options are asked
// for once, by the name. Errors wrap [call.ErrInvalid] if spec is to blame.
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
		shown, _, _ := strings.Cut(spec, "://") // what follows may have a password in it
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

// Standing opens the sources that every server has, and gives each to take, until
// that fails. The options are asked for as by [Table.Open].
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
