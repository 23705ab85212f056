package call

import (
	"net/netip"
	"time"
)

// About is what a source knows of itself. Ingest, the operator and monitoring read it, so it holds
// no secret.
type About struct {
	Kind          string         // the scheme of the URL that names it, such as "hep+tcp"
	Address       string         // where it listens or what it reads; empty until that is open
	Tenant        string         // name or GUID of the tenant that owns the calls; empty if each call names its own
	Trunk         string         // host name of the trunk, for calls that name none
	Microsoft     []netip.Prefix // addresses of Microsoft's SIP proxies beyond the built-in list
	Authenticated bool           // the sender has proved its identity
	Seen          time.Time      // when the source last understood and kept something; zero: not since the start
}

// A Measure describes one count, as monitoring shows it: what a Prometheus metric has besides its
// values.
type Measure struct {
	Name  string // such as "trunklog_hep_refused_total"; it never changes
	Help  string // one sentence
	By    string // the label whose values are the causes of the count; empty if the count is not divided
	Gauge bool   // it may fall; otherwise it only rises
	// Alone says that one source counts it, so that no label needs the source's name.
	Alone bool
}

// Limited is the measure of what limits have refused or held up in any part of the program. Names
// of limits are unique in it.
func Limited() Measure {
	return Measure{Name: "trunklog_limited_total", Help: "What was refused or had to wait because of a limit, by limit.", By: "limit", Alone: true}
}

// A Counter counts since it was made.
type Counter interface {
	// Measures returns the counts that it keeps, always the same ones.
	Measures() []Measure
	// Counts yields each count as it is now: the name of its measure, the cause if the measure is
	// divided, and the number. It yields zeros too, because monitoring cannot see the rise of a
	// series that did not exist. A cause holds no text of a sender.
	Counts(yield func(name, cause string, n uint64))
}
