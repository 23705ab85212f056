// Package admin is what commands and a running node say to each other over the socket in
// the data folder, so that a command does the same whether or not a node owns the
// folder. It speaks [call.Store], tells calls as they happen, and lists the sources.
//
// The server serves [Handler] on what [Listen] returns; a command tries [Dial]
// and opens the folder itself if nobody answers. It knows nothing of engines,
// of tenants' rights or of who may run a command: whoever can open the socket,
// which is the user that the server runs as, can do all that a store can.
//
// The words are HTTP/1.1. Both sides must be of the same version, so that
// nothing here has to be compatible with anything but itself:
//
//	POST /hello    nothing                        → end
//	POST /rows     query                          → row… end
//	POST /row      tenant, id                     → row end
//	POST /count    query                          → value end
//	POST /groups   query, grouping                → value… end, one for each group
//	POST /write    batch                          → value end
//	POST /state    prefix                         → value… end, one for each name
//	POST /trim     tenant, time                   → value end
//	POST /latest   tenant                         → value end
//	POST /await    tenant, version                → value end
//	POST /changes  tenant, version                → value or row… end, one for each change
//	POST /trim-changes  time                      → end
//	POST /new-epoch  nothing                      → end
//	POST /legs     tenant, start, id              → value… end, one for each leg
//	POST /messages leg                            → message… end
//	POST /trim-messages  time                     → end
//	POST /check    nothing                        → problem… end
//	POST /stats    nothing                        → value end
//	POST /backup   name of a folder               → end
//	POST /compact  nothing                        → end
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
	"errors"
	"fmt"
)

const (
	// protocol changes with what is written here.
	protocol = "5"
	header   = "Trunklog-Socket"

	// maxRequest bounds what a server reads: some million rows.
	maxRequest = 256 << 20
	// chunk is how much is gathered before it is written.
	chunk = 64 << 10
)

func stamp(version string) string { return protocol + " " + version }

// The paths of the requests.
const (
	pathHello        = "/hello"
	pathRows         = "/rows"
	pathRow          = "/row"
	pathCount        = "/count"
	pathGroups       = "/groups"
	pathWrite        = "/write"
	pathState        = "/state"
	pathTrim         = "/trim"
	pathLegs         = "/legs"
	pathMessages     = "/messages"
	pathTrimMessages = "/trim-messages"
	pathCheck        = "/check"
	pathStats        = "/stats"
	pathBackup       = "/backup"
	pathCompact      = "/compact"
	pathLatest       = "/latest"
	pathAwait        = "/await"
	pathChanges      = "/changes"
	pathTrimChanges  = "/trim-changes"
	pathNewEpoch     = "/new-epoch"
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

var errMalformed = errors.New("malformed")

// tooLong returns an error if no unix socket can have the path.
func tooLong(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("the path %s has %d bytes, and that of a unix socket can have %d: choose a data folder with a shorter name", path, len(path), maxPath)
	}
	return nil
}
