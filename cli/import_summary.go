package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A summary is the result of an import for programs. The names of its fields do not change.
type summary struct {
	Import      string        `json:"import,omitempty"` // the import's id
	Format      string        `json:"format"`
	DryRun      bool          `json:"dryRun"`
	Files       []fileSummary `json:"files"`
	Read        int64         `json:"read"` // records or SIP messages that were read without an error
	New         int64         `json:"new"`
	Changed     int64         `json:"changed"`
	Same        int64         `json:"same"`
	Joined      int64         `json:"joined"`     // rows joined with another source's row of the same call
	Unassigned  int64         `json:"unassigned"` // rows on no tenant's trunk
	Older       int64         `json:"older"`      // rows older than the period for which they are kept
	Rejected    int           `json:"rejected"`
	RejectsFile string        `json:"rejectsFile,omitempty"`
	Seconds     float64       `json:"seconds"`
	Error       string        `json:"error,omitempty"`
	Imports     []summary     `json:"imports,omitempty"` // of auto: one for each part
}

// A fileSummary is the result of one file.
type fileSummary struct {
	Name     string `json:"name"`
	Format   string `json:"format,omitempty"` // of auto: the format found
	Read     int64  `json:"read"`
	Rejected int    `json:"rejected"`
	Error    string `json:"error,omitempty"`
}

// summary returns the summary of an import that has ended.
func (in *importer) summary(took time.Duration) summary {
	s := summary{
		Format: in.what(), DryRun: in.dryRun, Files: in.done, Read: in.read,
		Rejected: in.rejected, Seconds: took.Seconds(),
	}
	if in.keeping != nil {
		s.Older = in.keeping.n
	}
	if in.sink != nil && !in.dryRun {
		t := in.sink.Totals()
		s.Import = in.noted.ID
		s.New, s.Changed, s.Same, s.Joined, s.Unassigned = t.New, t.Changed, t.Same, t.Linked, t.Unassigned
		if h := in.ingest.HearStats(); in.recording {
			s.New, s.Changed = int64(h.Rows), int64(h.Amended)
		}
	}
	return s
}

// what returns the format, with the map that auto has chosen.
func (in *importer) what() string {
	if in.readyMap != "" {
		return in.format + " by the map " + in.readyMap
	}
	return in.format
}

// summarise prints the summary of an import that has ended with err, if -o asks for it, and returns
// err.
func (in *importer) summarise(err error, s summary) error {
	if in.output != "json" && in.output != "jsonl" {
		return err
	}
	if in.rejects.to != nil {
		s.RejectsFile = in.rejects.path
	}
	if err != nil {
		s.Error = call.Words(err)
	}
	if in.output == "jsonl" {
		return errors.Join(err, printLines(in.stdout, []summary{s}))
	}
	return errors.Join(err, printJSON(in.stdout, s))
}

// outcome returns the error of an import that has read all its files except the broken ones. An
// import that has read no record ends with the same exit code in every format.
func (in *importer) outcome(broken error) error {
	n := in.rejected
	switch {
	case broken != nil && in.read > 0:
		return &exitError{exitPart, broken}
	case broken != nil:
		return broken
	case n == 0:
		return nil
	case in.read == 0 && in.dryRun:
		return fmt.Errorf("nothing could be imported: %s would be rejected", count(n, "record", "records"))
	case in.read == 0:
		return fmt.Errorf("nothing was imported: %s rejected: see %s", count(n, "record was", "records were"), in.rejects.path)
	case in.dryRun:
		return &exitError{exitPart, fmt.Errorf("%s would be rejected", count(n, "record", "records"))}
	}
	return &exitError{exitPart, fmt.Errorf("%s rejected: see %s", count(n, "record was", "records were"), in.rejects.path)}
}

// reportCalls prints the result for SIP messages.
func (in *importer) reportCalls(took time.Duration) {
	if in.dryRun {
		fmt.Fprintf(in.stderr, "dry run: %s can be read, %s cannot; nothing was written\n", count(in.read, "SIP message", "SIP messages"), count(in.rejected, "packet", "packets"))
		return
	}
	t := in.ingest.HearStats()
	fmt.Fprintf(in.stderr, "read %s: %s", count(int64(t.Messages+t.Other+t.Shared+t.Refused), "SIP message", "SIP messages"), count(int64(t.Rows), "call", "calls"))
	for _, more := range []struct {
		n    int64
		what string
	}{
		{int64(t.Amended), "amended by later messages"},
		{int64(t.Inferred), "of them without their end"},
		{t.Open, "not over yet"},
		{int64(t.OtherLegs), "other legs of the same calls"},
		{int64(t.Elsewhere), "legs that do not face Microsoft, and are left out"},
		{int64(t.SetAside), "legs that bear Microsoft's name beside calls that face it, and are set aside"},
		{int64(t.Other), "messages that belong to no call"},
		{int64(t.Shared), "messages of a call of two tenants that may be either's, and are left out"},
		{int64(t.Rejected), "calls of which no row can be made"},
	} {
		if more.n > 0 {
			fmt.Fprintf(in.stderr, "; %d %s", more.n, more.what)
		}
	}
	fmt.Fprintf(in.stderr, "; %s rejected (%s)\n", count(in.rejected, "packet", "packets"), took.Round(time.Millisecond))
}
