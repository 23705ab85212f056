package ingest

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

var update = flag.Bool("update", false, "write what comes out to the scripts")

// TestScripts runs testdata/*.txt. A script is blocks with an empty line between them: a command,
// lines of input, "----", and the output.
//
//	put SOURCE [tenant=T]   puts the events of the input, one a line: KIND NAME=VALUE…
//	rows [T…]               the rows of the tenants
//	totals SOURCE           the outcomes of a source's events
//	state PREFIX            the names and values in the store
//	trim T TIME             deletes the rows that started before
//	assign T                gives the rows without a tenant to one
//	restart                 begins a new Ingest on the same store
//	fail TEXT               lets writes fail with TEXT, or succeed again
//	clock SECONDS           lets time pass, and writes the rows that are due
//	hear SOURCE [tenant=T] [trunk=HOST] [hearsay] [from=[HOST,…]]
//	                        puts the SIP messages of the input, see signal; from says that
//	                        the sender's certificate bears the hosts, each of which speaks
//	                        for itself and for the trunks that 'speaks' gives it
//	speaks HOST [TRUNK…]    lets a name of a certificate speak for trunks
//	alone                   lets every sender speak for all, as if there were one tenant
//	told [T…]               the rows of the tenants, with the witnesses of their starts
//	heard                   the counts of the SIP messages
//	ladder [T…]             the messages that the store has of the tenants' rows
//
// Ids are words; a GUID is written as the word that it was made of. A time is one of 2026-11-01, or
// has its day in front: "08:00:25.1", "10-30T23:59:59".
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newScript(t).run(string(b))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(b) {
				t.Errorf("got:\n%s\n(-update writes it)", got)
			}
		})
	}
}

type script struct {
	t     *testing.T
	store *storetest.Model
	in    *Ingest
	sinks map[string]*Sink
	now   time.Time
	words map[string]string // GUID → the word that it was made of

	alone   bool
	speaks  map[string][]string // trunks by a name of a certificate
	refused []string
}

func newScript(t *testing.T) *script {
	s := &script{t: t, store: storetest.NewModel(), now: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), words: map[string]string{}, speaks: map[string][]string{}}
	s.restart()
	return s
}

func (s *script) restart() {
	s.sinks = map[string]*Sink{}
	s.in = New(Config{
		Store:     s.store,
		Authority: s.authority,
		Refused: func(source string, names []string, trunk string) {
			s.refused = append(s.refused, fmt.Sprintf("%s: %s of %s", source, strings.Join(names, ","), trunk))
		},
		Now:     func() time.Time { return s.now },
		KeepSIP: true,
		Tenant:  s.owner,
	})
	if _, err := s.in.Resume(s.t.Context(), func(string) bool { return true }); err != nil {
		s.t.Fatal(err)
	}
}

// owner returns the tenant that owns a trunk: NAME owns NAME.example.com and all names below it.
func (s *script) owner(trunk string) (call.GUID, bool) {
	name, ok := strings.CutSuffix(trunk, ".example.com")
	if !ok || name == "nobody" {
		return call.GUID{}, false
	}
	return s.guid(name[strings.LastIndex(name, ".")+1:]), true
}

func (s *script) authority(names []string) Authority {
	if s.alone {
		return nil
	}
	var trunks []string
	for _, name := range names {
		trunks = append(append(trunks, name), s.speaks[name]...)
	}
	return trunksOf{s, trunks}
}

type trunksOf struct {
	*script
	trunks []string
}

func (a trunksOf) Trunk(host string) bool { return slices.Contains(a.trunks, host) }

func (a trunksOf) Tenant(id call.GUID) bool {
	return slices.ContainsFunc(a.trunks, func(trunk string) bool {
		owner, ok := a.owner(trunk)
		return ok && owner == id
	})
}

// run returns the script with its present outputs in place of those in it.
func (s *script) run(text string) string {
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimRight(text, "\n"), "\n\n") {
		if i > 0 {
			out.WriteString("\n\n")
		}
		input, _, _ := strings.Cut(block, "\n----")
		out.WriteString(input)
		lines := slices.DeleteFunc(strings.Split(input, "\n"), func(l string) bool { return strings.HasPrefix(l, "#") || l == "" })
		if len(lines) > 0 {
			result := s.command(strings.Fields(lines[0]), lines[1:])
			for guid, word := range s.words {
				result = strings.ReplaceAll(result, guid, word)
			}
			out.WriteString("\n----\n" + cmp.Or(strings.TrimRight(result, "\n"), "nothing"))
		}
	}
	return out.String() + "\n"
}

func (s *script) command(words, input []string) string {
	ctx := s.t.Context()
	switch words[0] {
	case "put":
		var events []call.Event
		for _, line := range input {
			events = append(events, s.event(line))
		}
		if err := tryPut(ctx, s.sink(words[1:]), events...); err != nil {
			return err.Error()
		}
		return "ok"
	case "rows":
		var out strings.Builder
		for _, tenant := range words[1:] {
			q := call.Query{}
			if tenant != "unassigned" {
				q.Tenant = s.guid(tenant)
			}
			for r, err := range s.store.Rows(ctx, q) {
				if err != nil {
					s.t.Fatal(err)
				}
				out.WriteString(showRow(r))
			}
		}
		return out.String()
	case "told":
		var out strings.Builder
		for _, tenant := range words[1:] {
			q := call.Query{}
			if tenant != "unassigned" {
				q.Tenant = s.guid(tenant)
			}
			for r, err := range s.store.Rows(ctx, q) {
				if err != nil {
					s.t.Fatal(err)
				}
				w := r.By[call.FieldStart]
				fmt.Fprintf(&out, "%s: %s %s from %s for %d s, by %s, proven %v\n", tenant, r.Start.Format("15:04:05"), r.ID, r.Caller, r.Duration, w.Kind(), w.Authenticated())
			}
		}
		return out.String()
	case "totals":
		t := s.sink(words[1:]).Totals()
		return fmt.Sprintf("new %d changed %d same %d linked %d unassigned %d rejected %d last %s", t.New, t.Changed, t.Same, t.Linked, t.Unassigned, t.Rejected, t.Last.Format(time.TimeOnly))
	case "state":
		state, err := call.Values(ctx, s.store, words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		var lines []string
		for name, v := range state {
			lines = append(lines, name+" = "+showState(v))
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	case "mark":
		mark, err := s.in.Mark(ctx, words[1])
		return fmt.Sprintf("%q %v", mark, err)
	case "trim":
		n, err := s.in.Trim(ctx, s.store, s.guid(words[1]), s.time(words[2]))
		return fmt.Sprint(n, " ", err)
	case "assign":
		var all []call.Row
		for r, err := range s.store.Rows(ctx, call.Query{}) {
			if err != nil {
				s.t.Fatal(err)
			}
			all = append(all, r.Clone())
		}
		_, err := s.in.Assign(ctx, all, s.guid(words[1]))
		return fmt.Sprint(len(all), " ", err)
	case "speaks":
		s.speaks[words[1]] = words[2:]
		return "ok"
	case "alone":
		s.alone = true
		return "ok"
	case "restart":
		s.store = s.store.Reopen()
		s.restart()
		return "ok"
	case "fail":
		s.store.FailWrites(nil)
		if len(words) > 1 {
			s.store.FailWrites(fmt.Errorf("%w: %s", call.ErrFull, words[1]))
		}
		return "ok"
	case "clock":
		n, err := strconv.Atoi(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(time.Duration(n) * time.Second)
		if err := s.in.tickAll(ctx); err != nil {
			return err.Error()
		}
		return "ok"
	case "hear":
		return s.hear(words[1:], input)
	case "heard":
		h := s.in.HearStats()
		text := fmt.Sprintf("messages %d other %d shared %d rows %d amended %d elsewhere %d", h.Messages, h.Other, h.Shared, h.Rows, h.Amended, h.Elsewhere)
		if h.Refused > 0 {
			text += fmt.Sprintf(" refused %d", h.Refused)
		}
		return text
	case "ladder":
		return s.ladder(words[1:])
	}
	s.t.Fatalf("no command %q", words[0])
	return ""
}

func (s *script) sink(words []string) *Sink {
	k := s.sinks[words[0]]
	if k == nil {
		var tenant call.GUID
		if len(words) > 1 {
			tenant = s.guid(strings.TrimPrefix(words[1], "tenant="))
		}
		k = s.in.Sink(words[0], tenant)
		s.sinks[words[0]] = k
	}
	return k
}

// guid returns the GUID that stands for a word.
func (s *script) guid(word string) call.GUID {
	g := call.NameGUID("script", word)
	s.words[g.String()] = word
	return g
}

func (s *script) time(text string) time.Time {
	if !strings.Contains(text, "T") {
		text = "11-01T" + text
	}
	t, err := time.Parse("2006-01-02T15:04:05", "2026-"+text)
	if err != nil {
		s.t.Fatal(err)
	}
	return t
}

// event reads "KIND NAME=VALUE…": the kind of the source, and call, mark, nokind,
// unsettled, or the fields of the row by the names below or Graph's.
func (s *script) event(line string) call.Event {
	words := strings.Fields(line)
	e := call.Event{Kind: call.RecordEvent}
	settled := true
	short := map[string]call.Field{"corr": call.FieldCorrelationID, "start": call.FieldStart, "invite": call.FieldInvite, "end": call.FieldEnd, "failure": call.FieldFailure, "type": call.FieldCallType, "from": call.FieldCaller, "to": call.FieldCallee, "trunk": call.FieldTrunk, "name": call.FieldUserDisplayName, "code": call.FieldFinalSIPCode}
	for _, word := range words[1:] {
		name, v, _ := strings.Cut(word, "=")
		f, ok := short[name]
		if !ok {
			f, ok = call.FieldNamed(name)
		}
		switch {
		case name == "call":
			e.Call = v
		case name == "mark":
			e.Mark = v
		case name == "nokind":
			e.Kind = 0
		case name == "unsettled":
			settled = false
		case !ok:
			s.t.Fatalf("no field %q", name)
		default:
			s.setField(&e.Row, f, v)
		}
	}
	if !settled {
		return e
	}
	for k := call.Inferred; k <= call.Graph; k++ {
		if k.String() == words[0] {
			e.Row.Settle(k.Witness(), k >= call.AdminExport)
		}
	}
	return e
}

func (s *script) setField(r *call.Row, f call.Field, v string) {
	switch f.Type() {
	case call.ID:
		r.SetGUID(f, s.guid(v))
	case call.Text:
		r.SetText(f, v)
	case call.Time:
		r.SetTime(f, s.time(v))
	case call.Number:
		n, err := strconv.Atoi(v)
		if err != nil {
			s.t.Fatal(err)
		}
		r.SetNumber(f, int32(n))
	case call.Bool:
		r.SetBool(f, v == "true")
	}
}

func showRow(r *call.Row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s seen by %s:", r.Start.Format("01-02T15:04:05.9999999"), r.ID, r.Seen)
	for f := range call.NumFields {
		if f == call.FieldID || f == call.FieldStart || !r.Known(f) {
			continue
		}
		switch f.Type() {
		case call.ID:
			fmt.Fprintf(&b, " %s=%s", f, r.GUID(f))
		case call.Text:
			fmt.Fprintf(&b, " %s=%s", f, r.Text(f))
		case call.Time:
			fmt.Fprintf(&b, " %s=%s", f, r.Time(f).Format("15:04:05.9999999"))
		case call.Number:
			fmt.Fprintf(&b, " %s=%d", f, r.Number(f))
		case call.Bool:
			fmt.Fprintf(&b, " %s", f)
		}
	}
	return b.String() + "\n"
}

var printable = regexp.MustCompile(`^[ -~]*$`)

// showState shows a value, or the kinds and ids in it.
func showState(v []byte) string {
	if printable.Match(v) {
		return string(v)
	}
	var out []string
	for entry := range slices.Chunk(v, linkSize) {
		kind := call.Kind(entry[0] &^ byHearsay).String()
		if entry[0]&byHearsay != 0 {
			kind += " by hearsay"
		}
		out = append(out, fmt.Sprintf("%s:%s", kind, call.GUID(entry[1:])))
	}
	return strings.Join(out, " ")
}
