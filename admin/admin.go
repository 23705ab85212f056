// Package admin is what commands ask of a running node over the socket in its data
// folder, so that a command does the same whether or not a node owns the folder. The
// node serves [Handler] on what [Listen] returns; a command tries [Dial] and opens the
// folder itself if nobody answers.
//
// What it gets is a [Client]: the part of the store on which commands work,
// [call.Log], what looks after the store, [Keeper], and what only a running node can
// tell. It knows nothing of engines, of tenants' rights or of who may run a command:
// whoever can open the socket, which is the user that the node runs as, may ask for
// all of it.
//
// The words are HTTP/1.1, and a verb is a path. Both sides must be of the same
// version, so that nothing here has to be compatible with anything but itself:
//
//	POST /hello    nothing            → end
//	POST /ask      question           → what is asked for, end
//	POST /write    batch              → value end: what became of each row
//	POST /keep     job                → what it says, end
//	POST /tail     tenant, open       → value… end: one for each update of a call, until the node stops
//	POST /sources  nothing            → value… end: one for each source, in JSON
//
// A question is what is looked for in the log, and a job is for who looks after the
// store; each begins with its letter:
//
//	r  rows      query                → row…
//	i  row       tenant, id           → row
//	c  count     query                → value
//	v  latest    tenant               → value: the version of the log
//	s  state     prefix               → value…, one for each name
//	l  legs      tenant, start, id    → value…, one for each leg
//	m  messages  leg                  → message…
//
//	?  check     nothing              → problem…
//	#  stats     nothing              → value
//	b  backup    name of a folder     → nothing
//	z  compact   nothing              → nothing
//
// A batch goes the way of all rows of the node: through the one that owns its log.
// Time goes by in /tail and in /keep, and a frame of theirs is sent at once.
//
// Every request and every answer has the header Trunklog-Socket with the
// version of this protocol and of the program. An answer is a sequence of
// frames:
//
//	kind      1 byte: r row, R row of a walk, m message, v value, p problem, . end, e error
//	length    4 bytes, big-endian
//	payload
//
// A row is its tenant (16 bytes), its start in ticks (8 bytes, big-endian), its
// id (16 bytes) and its compact form, see [call.Row.AppendBody]. A row that a walk
// has met elsewhere has the start of that place in front. A message is
// its leg (16 bytes), its time in ticks (8 bytes, big-endian) and its compact
// form, see [call.Message.AppendBody]. The end or an error is the last frame:
// an answer without either was cut off.
package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/trunklog/trunklog/call"
)

const (
	// protocol changes with what is written here.
	protocol = "6"
	header   = "Trunklog-Socket"

	// maxRequest bounds what a node reads: some million rows.
	maxRequest = 256 << 20
	// chunk is how much is gathered before it is written.
	chunk = 64 << 10
)

func stamp(version string) string { return protocol + " " + version }

// The paths of the verbs.
const (
	pathHello   = "/hello"
	pathAsk     = "/ask"
	pathWrite   = "/write"
	pathKeep    = "/keep"
	pathTail    = "/tail"
	pathSources = "/sources"
)

// The questions.
const (
	askRows     = 'r'
	askRow      = 'i'
	askCount    = 'c'
	askLatest   = 'v'
	askState    = 's'
	askLegs     = 'l'
	askMessages = 'm'
)

// The jobs.
const (
	keepCheck   = '?'
	keepStats   = '#'
	keepBackup  = 'b'
	keepCompact = 'z'
)

// The kinds of frames.
const (
	frameRow     = 'r'
	frameMet     = 'R'
	frameMessage = 'm'
	frameValue   = 'v'
	frameProblem = 'p'
	frameEnd     = '.'
	frameError   = 'e'
)

// A Node is what commands can be told by a running node, and have it do.
type Node struct {
	Version string // of the program
	// Log is asked, and what commands write is written to it: its Write must be that
	// of the one who owns the log, and tell those who remember what a batch changes.
	Log call.Log
	// Keeper looks after the store; nil if that has a server with its own tools.
	Keeper Keeper
	// Tail calls tell with what becomes of calls from now on, those in progress too if
	// open is set, until ctx is done or the node stops, when it returns nil, or tell
	// returns an error, which it returns. Nil tells nothing.
	Tail func(ctx context.Context, open bool, tell func(*Update) error) error
	// Sources returns what each source says of itself; nil if there are none.
	Sources func() []SourceStatus
}

// A Keeper looks after a store; see [call.Keeper] for what each method does.
type Keeper interface {
	Check(ctx context.Context, report func(problem string)) error
	Stats(ctx context.Context) (call.Stats, error)
	Backup(ctx context.Context, dir string) error
	Compact(ctx context.Context) error
}

var errMalformed = errors.New("malformed")

// tooLong returns an error if no unix socket can have the path.
func tooLong(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("the path %s has %d bytes, and that of a unix socket can have %d: choose a data folder with a shorter name", path, len(path), maxPath)
	}
	return nil
}
