// Package ingest makes rows of events and writes them to a store.
//
// It gives each row its tenant and its id, finds the row that another source
// has already made of the same call, and writes rows, resume marks and links in
// one batch, so that what it has acknowledged is whole.
//
// It does not know which sources there are, how they read their inputs, or
// which engine keeps the rows.
package ingest

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/share"
)

// A Config says what an [Ingest] works on.
type Config struct {
	Store call.Log
	// Tenant returns the tenant that owns the trunk with the given host name.
	// It is asked for sinks that are not bound to a tenant. If it is nil no
	// tenant is found.
	Tenant func(trunk string) (call.GUID, bool)
	// Authority returns for whose calls a sender speaks that has proved to bear some
	// names, see [Sink.From]; nil if it speaks for all that it hears, because there is one
	// tenant alone. If the function is nil every sender does.
	Authority func(names []string) Authority
	// Refused is told of a sender that speaks of a trunk's calls for which it does not
	// speak; nil tells nobody. It is called for each such message and must not wait.
	Refused func(source string, names []string, trunk string)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Number writes a number as the dial plan of a trunk says, E.164 as a rule;
	// nil leaves it as it was dialled or shown.
	Number func(trunk, number string) string
	// Clock is told when it is known by how much the clock of a source's agents is
	// ahead of ours, and when that changes; nil tells nobody.
	Clock func(source string, ahead time.Duration)
	// KeepSIP keeps the SIP messages of calls, see [call.Message].
	KeepSIP bool
	// Import is the id of the import that all rows belong to, if they are those of
	// one: what is told of them is kept then, see [Undo].
	Import string
	// Times are those for which ingest waits for more of a call; of each that
	// is zero the default is used.
	Times Times
}

// An Authority tells for whose calls a sender speaks.
type Authority interface {
	// Trunk reports whether it speaks for the calls of the trunk with the given host name.
	Trunk(host string) bool
	// Tenant reports whether it speaks for a trunk of the tenant.
	Tenant(id call.GUID) bool
}

// An Ingest makes rows of events. All that writes rows to a store in one
// process must share one Ingest, or sinks may make two rows of one call.
type Ingest struct {
	store  call.Log
	tenant func(trunk string) (call.GUID, bool)
	speaks func(names []string) Authority
	number func(trunk, number string) string
	now    func() time.Time
	clock  func(source string, ahead time.Duration)
	refuse func(source string, names []string, trunk string)
	links  linker
	parts  openParts

	keepSIP bool
	mu      sync.Mutex
	peers   map[string][]netip.Prefix // by source

	imported string       // the id of the import that all rows belong to
	pieces   atomic.Int64 // how many batches it had

	hearing hearing
	feed    feed
	turns   *share.Turns[string]
}

// How many events of one tenant are put at once: what is much for the store, and
// where there are other tenants one batch of a source that has many. They wait for
// the same round, and for the same disk.
const (
	mostAtOnce = 20_000
	fewAtOnce  = 512
)

// New returns an Ingest. There is nothing to close.
func New(c Config) *Ingest {
	in := &Ingest{store: c.Store, tenant: c.Tenant, speaks: c.Authority, refuse: c.Refused, now: c.Now, number: c.Number, clock: c.Clock, keepSIP: c.KeepSIP, imported: c.Import}
	if in.clock == nil {
		in.clock = func(string, time.Duration) {}
	}
	if in.tenant == nil {
		in.tenant = func(string) (call.GUID, bool) { return call.Unassigned, false }
	}
	if in.speaks == nil {
		in.speaks = func([]string) Authority { return nil }
	}
	if in.refuse == nil {
		in.refuse = func(string, []string, string) {}
	}
	if in.now == nil {
		in.now = time.Now
	}
	if in.number == nil {
		in.number = func(_, number string) string { return number }
	}
	in.parts.most = defaultPartLimits
	in.turns = share.NewPortions[string](2*mostAtOnce, mostAtOnce, fewAtOnce)
	in.links.tenants = make(map[call.GUID]*tenantLinks)
	in.links.calls = make(map[call.GUID]*stripes)
	in.peers = make(map[string][]netip.Prefix)
	in.hearing.init(in, c.Times)
	return in
}

// Mark returns the resume mark of a source: the last one that was accepted
// with its events, or "" if there is none.
func (in *Ingest) Mark(ctx context.Context, source string) (string, error) {
	mark, err := call.Value(ctx, in.store, markName(source))
	if err != nil {
		return "", fmt.Errorf("mark of source %s: %w", source, err)
	}
	return string(mark), nil
}

func markName(source string) string { return "mark/" + source }

// Sink returns a sink for the events of the source with the given name. The
// name is part of the ids of rows whose source has none of its own, so it must
// stay the same for as long as the rows are kept. The events belong to the
// given tenant; if that is zero, to the tenant of each row's trunk; and if
// there is none, to [call.Unassigned].
func (in *Ingest) Sink(source string, tenant call.GUID) *Sink {
	return in.SinkOf(Input{Source: source, Tenant: tenant})
}

// An Input is what a [Sink] needs to know of where its events come from.
type Input struct {
	Source string    // its name
	Tenant call.GUID // the owner of its calls; zero: that of each call's trunk
	// Trunk is the host name of the trunk whose calls the source sees, for
	// messages that do not tell it.
	Trunk string
	// Microsoft are addresses of Microsoft's SIP proxies besides those that are
	// known, such as those of a proxy in front of the SBC.
	Microsoft []netip.Prefix
	// Hearsay says that anybody could have sent the messages, so that what they
	// tell may add to what others say of a call and never change it.
	Hearsay bool
	// Recorded says that the messages were saved earlier, so that their own
	// times are when they were heard, and [Sink.Flush] is called at the end.
	Recorded bool
}

// SinkOf returns a sink for the events of an input. See [Ingest.Sink].
func (in *Ingest) SinkOf(i Input) *Sink {
	in.mu.Lock()
	in.peers[i.Source] = i.Microsoft
	in.mu.Unlock()
	return &Sink{in: in, source: i.Source, tenant: i.Tenant, trunk: strings.ToLower(i.Trunk), hearsay: i.Hearsay, recorded: i.Recorded, tally: &tally{}}
}

// Of returns a sink for the records of one of the source's senders, whose tenant is
// known. The sender is part of the source's name, so that two of them may call
// different calls the same; the totals are those of s.
func (s *Sink) Of(sender string, tenant call.GUID) *Sink {
	return &Sink{in: s.in, source: s.source + "/" + sender, tenant: tenant, trunk: s.trunk, hearsay: s.hearsay, recorded: s.recorded, tally: s.tally}
}

// From returns a sink for the messages of one of the source's senders, whose certificate
// bears the given names, or none. Where several tenants are and the source is bound to none
// of them nor to a trunk, the sender speaks for some trunks alone, see [Config.Authority]:
// what it says of others' calls is refused. The source's name and totals are those of s.
func (s *Sink) From(names []string) *Sink {
	if s.hearsay || !s.tenant.IsZero() || s.trunk != "" {
		return s
	}
	of := *s
	of.from = &sender{names: names}
	return &of
}

// A sender is whoever has proved to bear some names.
type sender struct{ names []string }

func (in *Ingest) peersOf(source string) []netip.Prefix {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.peers[source]
}

// told returns the witness of what SIP messages say.
func (s *Sink) told() call.Witness {
	if s.hearsay {
		return call.SIP.Hearsay()
	}
	return call.SIP.Witness()
}

// A Sink implements [call.Sink]. All methods may be called from many
// goroutines at once.
type Sink struct {
	in     *Ingest
	source string
	tenant call.GUID
	trunk  string
	from   *sender // see [Sink.From]; nil if it speaks for all that it hears

	hearsay, recorded bool

	tally *tally
}

// A tally holds the totals of a sink, and of those that were made of it.
type tally struct {
	mu     sync.Mutex
	totals Totals
}

var _ call.Sink = (*Sink)(nil)

// Totals count what became of the events of a sink. New, Changed and Same add
// up to the events that were kept.
type Totals struct {
	New     int64 // rows that were not there
	Changed int64 // rows that were there and learned something
	Same    int64 // rows that were there and learned nothing

	Linked     int64     // of the Changed and Same: found to be a row of another source
	Unassigned int64     // of all that were kept: belong to no tenant's trunk
	Rejected   int64     // events that Put could not keep
	Last       time.Time // when Put made or found a row last
}

// Add counts what became of the events of a Put that ended at the given time.
func (t *Totals) Add(out *call.Outcome, now time.Time) {
	n := out.Counts()
	t.New += int64(n.New)
	t.Changed += int64(n.Changed)
	t.Same += int64(n.Same)
	t.Linked += int64(out.Linked)
	t.Unassigned += int64(out.Unowned)
	t.Rejected += int64(len(out.Rejected))
	if n != (call.Counts{}) {
		t.Last = now
	}
}

// Totals returns what became of the events so far, those of its senders included.
func (s *Sink) Totals() Totals {
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	return s.tally.totals
}
