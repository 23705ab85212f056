// Package ingest makes rows of events and writes them to a store.
//
// It gives each row its tenant and its id, finds the row that another source has already made of
// the same call, and writes rows, resume marks and links in one batch, so that what it has
// acknowledged is whole.
//
// It does not know which sources there are, how they read their inputs, or which engine keeps the
// rows.
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
	// Tenant returns the tenant that owns the trunk with the given host name, for sinks that are
	// not bound to a tenant. If it is nil, no trunk has an owner.
	Tenant func(trunk string) (call.GUID, bool)
	// Authority returns for which calls a sender speaks whose certificate bears the given names,
	// see [Sink.From]; nil if it speaks for all that it hears, because there is only one tenant. If
	// the function is nil, every sender speaks for all.
	Authority func(names []string) Authority
	// Refused is called for each message about a trunk for which its sender does not speak. It must
	// not block, and may be nil.
	Refused func(source string, names []string, trunk string)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Number writes a number as the dial plan of a trunk says, E.164 as a rule; nil leaves it as
	// the caller dialled or showed it.
	Number func(trunk, number string) string
	// Clock is called when a source's clock offset becomes known or changes: ahead is how far the
	// clock of its agents is ahead of the server's. It may be nil.
	Clock func(source string, ahead time.Duration)
	// KeepSIP keeps the SIP messages of calls, see [call.Message].
	KeepSIP bool
	// Import is the id of the import to which all rows belong, if they belong to one. The store
	// then keeps what is told of them, see [Undo].
	Import string
	// Times say for how long ingest waits for more of a call. Each that is zero has its default.
	Times Times
}

// An Authority tells for which calls a sender speaks.
type Authority interface {
	// Trunk reports whether it speaks for the calls of the trunk with the given host name.
	Trunk(host string) bool
	// Tenant reports whether it speaks for a trunk of the tenant.
	Tenant(id call.GUID) bool
}

// An Ingest makes rows of events. All parts of a process that write rows to a store must share one
// Ingest, or two sinks may make two rows of one call.
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

	imported string       // the id of the import to which all rows belong
	pieces   atomic.Int64 // how many of its batches kept rows

	hearing hearing
	feed    feed
	turns   *share.Turns[string]
}

// How many events of one tenant may be in Puts at once: a full load for the store, and, while other
// tenants wait, one batch of a busy source. All of them wait for the same round and the same disk.
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

// Mark returns the resume mark of a source: the last one that was written with its events, or "" if
// there is none.
func (in *Ingest) Mark(ctx context.Context, source string) (string, error) {
	mark, err := call.Value(ctx, in.store, markName(source))
	if err != nil {
		return "", fmt.Errorf("mark of source %s: %w", source, err)
	}
	return string(mark), nil
}

func markName(source string) string { return "mark/" + source }

// Sink returns a sink for the events of the source with the given name. The name is part of the ids
// of rows whose source has none of its own, so it must stay the same for as long as the log has the
// rows. The events belong to the given tenant; if that is zero, to the owner of each row's trunk;
// and if that has none, to [call.Unassigned].
func (in *Ingest) Sink(source string, tenant call.GUID) *Sink {
	return in.SinkOf(Input{Source: source, Tenant: tenant})
}

// An Input describes the source of a [Sink]'s events.
type Input struct {
	Source string    // its name
	Tenant call.GUID // the owner of its calls; zero: that of each call's trunk
	// Trunk is the host name of the trunk whose calls the source sees, for messages that do not
	// name it.
	Trunk string
	// Microsoft are further addresses of Microsoft's SIP proxies, such as those of a proxy in front
	// of the SBC.
	Microsoft []netip.Prefix
	// Hearsay says that the source does not authenticate its senders: what their messages tell may
	// add to a row, and never changes what other sources have told.
	Hearsay bool
	// Recorded says that the messages come from a recording: their own times count as the times of
	// their arrival, and the caller calls [Sink.Flush] at the end.
	Recorded bool
}

// SinkOf returns a sink for the events of an input. See [Ingest.Sink].
func (in *Ingest) SinkOf(i Input) *Sink {
	in.mu.Lock()
	in.peers[i.Source] = i.Microsoft
	in.mu.Unlock()
	return &Sink{in: in, source: i.Source, tenant: i.Tenant, trunk: strings.ToLower(i.Trunk), hearsay: i.Hearsay, recorded: i.Recorded, tally: &tally{}}
}

// Of returns a sink for the records of one of the source's senders, whose tenant is known. The
// sender becomes part of the source's name, so that two senders may give different calls the same
// name. The totals are those of s.
func (s *Sink) Of(sender string, tenant call.GUID) *Sink {
	return &Sink{in: s.in, source: s.source + "/" + sender, tenant: tenant, trunk: s.trunk, hearsay: s.hearsay, recorded: s.recorded, tally: s.tally}
}

// From returns a sink for the messages of one of the source's senders, whose certificate bears the
// given names, or none. If the source is bound neither to a tenant nor to a trunk,
// [Config.Authority] says for which trunks the sender speaks, and messages about others are
// refused. Otherwise, and for hearsay, From returns s. The source's name and the totals are those
// of s.
func (s *Sink) From(names []string) *Sink {
	if s.hearsay || !s.tenant.IsZero() || s.trunk != "" {
		return s
	}
	of := *s
	of.from = &sender{names: names}
	return &of
}

// A sender is the holder of a certificate with some names.
type sender struct{ names []string }

func (in *Ingest) peersOf(source string) []netip.Prefix {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.peers[source]
}

// told returns the witness of the sink's SIP messages.
func (s *Sink) told() call.Witness {
	if s.hearsay {
		return call.SIP.Hearsay()
	}
	return call.SIP.Witness()
}

// A Sink implements [call.Sink]. All its methods may be called from many goroutines at once.
type Sink struct {
	in     *Ingest
	source string
	tenant call.GUID
	trunk  string
	from   *sender // see [Sink.From]; nil if the source speaks for all that it hears

	hearsay, recorded bool

	tally *tally
}

// A tally holds the totals of a sink and of those that [Sink.Of] and [Sink.From] made of it.
type tally struct {
	mu     sync.Mutex
	totals Totals
}

var _ call.Sink = (*Sink)(nil)

// Totals count the outcomes of a sink's events. New, Changed and Same count those that made or
// found a row.
type Totals struct {
	New     int64 // rows that were not there
	Changed int64 // rows that were there and learned something
	Same    int64 // rows that were there and learned nothing

	Linked     int64     // of Changed and Same: rows of another source, under another id
	Unassigned int64     // rows whose trunk no tenant owns
	Rejected   int64     // events that Put could not keep
	Last       time.Time // when Put last made or found a row
}

// Add adds the outcome of a Put that ended at the given time.
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

// Totals returns the counts so far, with those of the sinks that were made of s.
func (s *Sink) Totals() Totals {
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	return s.tally.totals
}
