// Package call defines the types of trunklog: the [Row] that a call becomes, the [Event] by which a
// source reports it, the [Query] that asks for it, and the contracts between the parts that pass
// them on.
//
// It does no input or output and imports the standard library only. Everything else in the program
// implements these contracts or calls them:
//
//	Source ─► Event ─► ingest ─► Row ─► Store ─► Query ─► API, pages, commands
//
// Data flows one way. A part that serves calls gets a [Reader] and so cannot write.
package call

import (
	"context"
	"io"
	"iter"
	"time"
)

// An EventKind says what an event reports. The zero EventKind is none.
type EventKind uint8

// The kinds of events.
const (
	// RecordEvent is a complete record, such as a CSV line. The source expects no
	// more events for this call.
	RecordEvent EventKind = iota + 1
	// PartEvent reports a part of a call; other events report the rest. Each settles the fields
	// that it has and no more.
	PartEvent
	// LastPartEvent is the last part of its call; the source expects no more.
	LastPartEvent
	// MessageEvent is one SIP message of the call, the Signal. It settles nothing: Row is zero, and
	// Call is the Call-ID of the leg.
	MessageEvent
	// RestartEvent reports that an SBC has restarted: that of the trunk Row.Trunk, or any of the
	// source's SBCs if that is empty. Calls that it had not ended are over, because the SBC has
	// forgotten them.
	RestartEvent
)

var eventKinds = [...]string{RecordEvent: "record", PartEvent: "part", LastPartEvent: "last part", MessageEvent: "message", RestartEvent: "restart"}

func (k EventKind) String() string {
	if k == 0 || int(k) >= len(eventKinds) {
		return "unknown"
	}
	return eventKinds[k]
}

// An Event is what a source has learned about one call: some fields of its row.
type Event struct {
	// Kind says what the event reports, and so which of the other fields count.
	Kind EventKind
	// Call names the call within its source. It groups the events of one call,
	// and becomes the row's id where the source has no GUID for it.
	Call string
	// Row holds the fields that this event settles; Row.By says which.
	Row Row
	// Mark is where the source resumes after this event; empty if it cannot.
	Mark string
	// Signal is the SIP message of a [MessageEvent], and nil in all others. The source lends it,
	// its texts and Call until [Sink.Put] returns; those that a [Decoder] yields belong to the
	// receiver.
	Signal *Signal
}

// A Source watches one input and reports what it sees.
type Source interface {
	// Run reports events to sink until ctx is done or the input ends. It
	// resumes after mark, the last Mark that was accepted, or from the start
	// if mark is empty.
	Run(ctx context.Context, mark string, sink Sink) error
}

// A Sink accepts events.
type Sink interface {
	// Put returns what became of the events once those that it did not reject are durable, and only
	// then: the source may acknowledge its sender, delete the file, or move its cursor. After an
	// error none of them is durable, or their state is unknown, and the source may try the same Put
	// again. Put blocks while the store is slow.
	Put(ctx context.Context, events ...Event) (Outcome, error)
}

// A Decoder reads one format: a file, a connection or a datagram in, events out. For a record that
// it cannot read it yields a [*SyntaxError] and goes on; any other error is the last value that it
// yields. The event belongs to the receiver.
type Decoder func(r io.Reader) iter.Seq2[Event, error]

// A RowReader finds rows, one by one.
type RowReader interface {
	// Rows yields the rows that match q, ordered by (Start, ID), from one snapshot of the store: it
	// does not see later writes. The row and its strings are valid until the next step; keep one
	// with [Row.Clone]. It yields nothing after a non-nil error.
	//
	// A walk of several queries keeps to the places that rows had when it began, see [Query.Walk].
	Rows(ctx context.Context, q Query) iter.Seq2[*Row, error]
	// Row returns the row with the given id, which may be an alias, or ErrNotFound.
	Row(ctx context.Context, tenant, id GUID) (Row, error)
	// Count returns how many rows match q where they stand now, whatever q.Walk
	// says. Without q.Where its cost does not grow with the answer.
	Count(ctx context.Context, q Query) (int64, error)
	// Latest returns the tenant's last durable change: a walk that begins now
	// has it as its [Query.Walk].
	Latest(ctx context.Context, tenant GUID) (Version, error)
}

// A Reader is the read half of a [Store]: all that the API, the pages and the exports need.
type Reader interface {
	RowReader
	// Groups yields what adding up Rows(q) gives, in the order of [Group.Compare]; an engine may
	// have the sums already. It uses the present places of rows, whatever q.Walk says. The group is
	// valid until the next step; a caller may keep a copy. It yields nothing after a non-nil error.
	//
	// Errors: ErrInvalid if by does not pass [Grouping.Check], or if there are more than
	// [MaxGroups].
	Groups(ctx context.Context, q Query, by Grouping) iter.Seq2[*Group, error]
}

// A MessageReader reads the SIP messages that the store keeps of calls.
type MessageReader interface {
	// Legs returns the known legs of a row, in the order of [Leg.Compare]: the one that faces
	// Microsoft first. It returns none, and no error, if the store lacks the row or has no messages
	// of it.
	Legs(ctx context.Context, tenant GUID, row Cursor) ([]Leg, error)
	// Messages yields the messages of leg.ID, in the order of
	// [Message.Compare], that were seen on the UTC days from that of leg.From
	// to that of leg.To, from one snapshot of the store. The message and what
	// it points to are valid until the next step; keep one with
	// [Message.Clone]. After a non-nil error nothing more is yielded.
	Messages(ctx context.Context, leg Leg) iter.Seq2[*Message, error]
}

// A Writer changes what a [Store] keeps.
type Writer interface {
	// Write applies b in full or not at all, and durably, before it returns nil: first the
	// removals, then the aliases, then the rows and replacements. If the store has a row of the
	// same (Tenant, ID), [Row.Fold] folds the new one into it; if that changes its start, the row
	// moves together with its legs and all that the store derived from it. The [Result] says what
	// became of each row.
	//
	// A batch that changes nothing takes no change number.
	//
	// Errors: ErrInvalid if a row does not pass [Row.Check], a message [Message.Check] or a leg
	// [Leg.Check]; ErrConflict if b.If or one of b.Still does not hold, an alias is the id of a row
	// or names no row, or a row of b.Replace has changed; ErrFull if there is no room, in which
	// case the caller may try the same Write again later; ErrClosed after Close, or after a failed
	// sync, which the store never retries.
	Write(ctx context.Context, b Batch) (Result, error)
}

// A Log is the part of a [Store] on which ingest and commands work: they find rows, messages and
// state, and write batches. A command may have that of a running node.
type Log interface {
	RowReader
	MessageReader
	StateStore
}

// A Store keeps rows, and the small state that must change together with them. Any number of
// goroutines may call its methods at once.
type Store interface {
	Log
	Reader
	ChangeReader
	// Trim deletes the tenant's rows that started before t, with all that the store derived from
	// them, their legs and the messages of these. It returns how many rows it deleted. It is one
	// change, however many rows go.
	Trim(ctx context.Context, tenant GUID, t time.Time) (int64, error)
	// TrimMessages deletes the messages that agents saw on UTC days that end at t or before, and
	// the legs of the rows that start on those days. The rows stay.
	TrimMessages(ctx context.Context, t time.Time) error
	// TrimChanges forgets the changes and moves that were written before t. Walks and change
	// readers that began before get ErrGone.
	TrimChanges(ctx context.Context, t time.Time) error
	// Close waits for calls under way. Later calls return ErrClosed.
	Close() error
}

// A Batch is one atomic change to a [Store].
type Batch struct {
	Rows []Row
	// Remove removes rows, with all that the store derived from them, their legs, the messages of
	// these and their aliases. It ignores an id that the log does not have.
	Remove []RowID
	// Aliases give rows of the log, or of the batch, further ids.
	Aliases []Alias
	// Replace replaces rows that have not changed meanwhile. None of them may also be in Rows or
	// Remove.
	Replace []Replacement
	// Keep names, for a tenant, a value of the state. Write sets it to what the batch says of the
	// tenant's Rows and what they were before: a list of [Told], in the order of the ids, those of
	// one row in the order of Rows.
	Keep map[GUID]string
	// State sets named values; a nil value deletes the name. Names are paths
	// such as "client/GUID/GUID", whose first part belongs to one package.
	State map[string][]byte
	// Messages stay until [Store.TrimMessages]. The store keeps the same message once; two are the
	// same if all their fields are.
	Messages []Message
	// Legs say which messages belong to a row. One with the Row and ID of
	// another takes its place.
	Legs []Leg
	// If holds the values that names must have now for the store to apply the batch; nil stands for
	// a name that must not exist.
	If map[string][]byte
	// Still holds what no writer, of this process or another, may have written meanwhile. The
	// engine checks it as it writes the batch. An engine that has lost the record of those writes
	// returns ErrConflict.
	Still []Condition
}

// A Result says what was written of a [Batch].
type Result struct {
	Rows     []Written // what became of each of Batch.Rows, in their order
	Removed  []Written // and of each of Batch.Remove
	Replaced []Written // and of each of Batch.Replace
}

// Written is what became of a row of a [Batch].
type Written struct {
	Place  Cursor // its present place in the log, under its id there
	Fate   Fate
	Number uint64 // of the change; 0 if Fate is Same
}

// A Fate says what a row of a [Batch], or an event of a [Sink.Put], did to the
// log. A row that is in its batch several times is new once.
type Fate uint8

// The fates of rows.
const (
	Same    Fate = iota // it was there and learned nothing; or there was none to remove
	New                 // it was not there
	Changed             // it was there and learned something
	Moved               // it was there and learned something that changed its start
	Removed             // it was there and is gone
	Trimmed             // of a [Change]: the rows before a time are gone

	// Of events only, see [Outcome].

	Open     // a part of a call that has no row yet
	Taken    // a message or a restart: it is kept, and rows may come of it later
	Rejected // it cannot be kept
)

func (f Fate) String() string {
	names := [...]string{"same", "new", "changed", "moved", "removed", "trimmed", "open", "taken", "rejected"}
	if int(f) >= len(names) {
		return "unknown"
	}
	return names[f]
}

// Counts are how many rows had each [Fate]. A moved row counts as changed.
type Counts struct{ New, Changed, Same int }

// Counts returns how many rows of r had each fate.
func (r Result) Counts() (n Counts) {
	for _, w := range r.Rows {
		n.Add(w.Fate)
	}
	return n
}

// Add counts a row.
func (n *Counts) Add(f Fate) {
	switch f {
	case New:
		n.New++
	case Changed, Moved:
		n.Changed++
	case Same:
		n.Same++
	}
}

// A Query selects rows of one tenant. With a zero Tenant it selects the rows of unknown tenants; no
// query covers all tenants.
type Query struct {
	Tenant   GUID
	From, To time.Time // From <= Start < To; a zero time is no bound
	Where    Expr      // nil matches every row
	After    Cursor    // begin behind this place, in the direction of the walk
	Skip     int64     // leave out this many rows first
	Limit    int       // 0 is no limit
	Reverse  bool      // newest first

	// Walk is the version of the log at which the walk began that q is a part of; zero if q stands
	// alone. The walk sees a row that has moved since in the place it had before its first move. So
	// the walk misses no row that it has not met, and meets none twice, wherever rows move. The
	// rows have their present values, and Where tests those; [Row.Place] says where the walk has
	// met a row. Skip and Where's conditions on the start use the present places.
	//
	// The error is ErrGone if the version is of another epoch, or was never the log's, or if the
	// store no longer keeps the moves since.
	Walk Version
}

// A Cursor is a place in the log. The zero Cursor is before the first row.
type Cursor struct {
	Start time.Time
	ID    GUID
}

// IsZero reports whether c is no place at all.
func (c Cursor) IsZero() bool { return c.Start.IsZero() && c.ID.IsZero() }

// A Keeper is a [Store] that can look after itself. An engine whose server has its own tools for
// this need not be one.
type Keeper interface {
	// Check reads everything, verifies every checksum and compares derived data with its origin. It
	// reports each problem that it finds, and returns an error only if it could not go on.
	Check(ctx context.Context, report func(problem string)) error
	// Stats returns figures about the store.
	Stats(ctx context.Context) (Stats, error)
	// Backup writes a consistent copy to the directory dir, which must not exist. Writers go on
	// meanwhile.
	Backup(ctx context.Context, dir string) error
	// Compact returns unused space to the disk.
	Compact(ctx context.Context) error
	// NewEpoch begins a new epoch. The operator's command calls it after it has taken the log back
	// to an earlier state, as by restoring a backup.
	NewEpoch(ctx context.Context) error
}

// Stats are figures about a store.
type Stats struct {
	Engine string        // such as "pebble"
	Format int           // version of what is on disk
	Rows   int64         // of all tenants
	Bytes  int64         // on disk, everything included
	Per    []TenantStats // sorted by tenant
}

// TenantStats are figures about the rows of one tenant.
type TenantStats struct {
	Tenant GUID
	Rows   int64
	Oldest time.Time // Start of the first row
	Newest time.Time // Start of the last row
}
