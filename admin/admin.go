// Package admin is the protocol in which commands talk to a running node over the socket in its
// data folder, so that a command does the same whether or not a node owns the folder. The node
// serves [Handler] on the listener of [Listen]. A command calls [Dial], and opens the folder
// itself if no node answers.
//
// Dial returns a [Client]: the part of the store on which commands work, [call.Log], the care of
// the store, [Keeper], and the facts that only a running node has. The package knows nothing of
// engines or of tenants' rights. The socket admits the user that the node runs as and root, and
// they may ask for everything.
//
// The protocol is HTTP/1.1, and a verb is a path. Both sides must have the same version, so the
// protocol needs no compatibility with earlier ones:
//
//	POST /hello    nothing            → end
//	POST /ask      question           → answer, end
//	POST /write    batch              → value end: the outcome of each row
//	POST /keep     job                → report, end
//	POST /tail     tenant, open       → value… end: one for each update, until the node stops
//	POST /sources  nothing            → value… end: one for each source, in JSON
//
// A question reads the log, and a job is a task of the keeper. Each begins with its letter:
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
// The node writes a batch through the owner of its log, as it writes all its rows. It sends each
// frame of /tail, and each problem that a check finds, at once, because the next one may take
// long.
//
// Every request and every answer has the header Trunklog-Socket with the version of this protocol
// and of the program. An answer is a sequence of frames:
//
//	kind      1 byte: r row, R row of a walk, m message, v value, p problem, . end, e error
//	length    4 bytes, big-endian
//	payload
//
// A row is its tenant (16 bytes), its start in ticks (8 bytes, big-endian), its id (16 bytes) and
// its compact form, see [call.Row.AppendBody]. If a walk has met the row at another place, the
// start of that place comes first. A message is its leg (16 bytes), its time in ticks (8 bytes,
// big-endian) and its compact form, see [call.Message.AppendBody]. The end or an error is the last
// frame: an answer without either is incomplete.
package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/trunklog/trunklog/call"
)

const (
	// protocol is the version of the protocol. Any change to the messages changes it.
	protocol = "7"
	header   = "Trunklog-Socket"

	// maxRequest limits the body of a request, in bytes: some million rows.
	maxRequest = 256 << 20
	// chunk is how many bytes of an answer the node gathers before it writes them.
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

// A Node is what a running node offers to commands.
type Node struct {
	Version string // of the program
	// Log answers questions and takes the batches of commands. Its Write must go through the
	// owner of the log, and must notify the parts of the node that cache what a batch changes.
	Log call.Log
	// Keeper looks after the store; nil if the store has a server with tools of its own.
	Keeper Keeper
	// Tail calls tell for each update of a call from now on. If open is set it begins with the
	// calls in progress. It returns nil when ctx is done or the node stops, and the error of tell
	// if tell returns one. A nil Tail has no updates.
	Tail func(ctx context.Context, open bool, tell func(*Update) error) error
	// Sources returns the status of each source; nil if there are none.
	Sources func() []SourceStatus
}

// A Keeper looks after a store. [call.Keeper] describes the methods.
type Keeper interface {
	Check(ctx context.Context, report func(problem string)) error
	Stats(ctx context.Context) (call.Stats, error)
	Backup(ctx context.Context, dir string) error
	Compact(ctx context.Context) error
}

var errMalformed = errors.New("malformed")

// tooLong returns an error if path is too long for a unix socket.
func tooLong(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("the path %s has %d bytes, and that of a unix socket can have %d: choose a data folder with a shorter name", path, len(path), maxPath)
	}
	return nil
}
