package call

import (
	"net/netip"
	"time"
)

// About is what a source says of itself, as far as it is known: to ingest, to the
// operator and to monitoring. None of it is a secret.
type About struct {
	Kind          string         // the scheme of the URL that names it, such as "hep+tcp"
	Address       string         // where it listens or what it reads; empty until that is open
	Tenant        string         // name or GUID of the tenant whose calls these are; empty if each call tells
	Trunk         string         // host name of the trunk, for calls that do not tell it
	Microsoft     []netip.Prefix // addresses of Microsoft's SIP proxies besides those that are known
	Authenticated bool           // whoever sends has proved who that is
	Seen          time.Time      // when what was sent was last understood and kept; zero: not since the start
}

// A Measure is one thing that is counted, as monitoring shows it: what a metric of
// Prometheus has besides its values.
type Measure struct {
	Name  string // such as "trunklog_hep_refused_total"; it never changes
	Help  string // one sentence
	By    string // the label that the causes of a count are values of; empty if it is not divided
	Gauge bool   // it may fall; else it only rises
	// Alone says that one source counts it, so that no label has the source's name.
	Alone bool
}

// Limited is what limits have refused or held up, of whatever part of the program
// they are. Names of limits are unique in it.
func Limited() Measure {
	return Measure{Name: "trunklog_limited_total", Help: "What was refused or had to wait because of a limit, by limit.", By: "limit", Alone: true}
}

// A Counter tells what it has counted since it was made.
type Counter interface {
	// Measures returns what it counts, always the same.
	Measures() []Measure
	// Counts yields each count as it is now: the name of its measure, the cause if
	// the measure is divided, and the number. Those of 0 are yielded, too: what is
	// not there cannot be seen to rise. A cause holds nothing that a sender has made.
	Counts(yield func(name, cause string, n uint64))
}
