package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/test/kit"
)

// operate runs the operator's commands for one tenant in the course of the round.
func (w *walls) operate(c *walled, rnd *rand.Rand) {
	for n := 0; w.pace(n, 8+int(w.want/6000)); n++ {
		r := c.heard(rnd)
		foreign := w.others(c)[rnd.IntN(2)].heard(rnd)
		for _, cmd := range []struct {
			way, args string
			must      bool
			said      []string
		}{
			{"calls list", "list --limit 30 -o " + []string{"table", "json", "jsonl", "csv"}[rnd.IntN(4)], true, nil},
			{"calls list", "list --limit 30 --trunk " + c.trunks[0], true, nil},
			{"calls list", "list --limit 30 --newest-first --number " + r.Caller, false, nil},
			{"calls count", "count", false, nil},
			{"calls get", "get " + r.ID.String(), false, nil},
			{"calls ladder", "ladder " + r.ID.String(), false, nil},
			{"calls ladder --json", "ladder --json " + r.ID.String(), false, nil},
			{"calls ladder --pcap", "ladder --pcap - " + r.ID.String(), false, nil},
			{"calls get, a foreign id", "get " + foreign.ID.String(), false, []string{foreign.ID.String()}},
			{"calls ladder, a foreign id", "ladder --json " + foreign.ID.String(), false, []string{foreign.ID.String()}},
		} {
			if rnd.IntN(3) > 0 && n > 0 {
				continue
			}
			w.answered(c, cmd.way, 1, cmd.must, w.either(strings.Fields("calls "+cmd.args+" --tenant "+c.name)...), cmd.said...)
			if w.ctx.Err() != nil {
				return
			}
		}
	}
}

// either runs a command that may fail on the data folder, and returns all that it says.
func (w *walls) either(args ...string) []byte {
	cmd := kit.Command(w.ctx, "trunklog", append(args, "--data", w.data)...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && w.ctx.Err() == nil {
		w.wrong("%v: %v", args, err)
	}
	return out
}

// heard returns a call of the tenant's of which SIP was told, if there is one.
func (c *walled) heard(rnd *rand.Rand) call.Row {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range 100 {
		if t := c.told[rnd.IntN(len(c.told))]; t.sip {
			return t.row
		}
	}
	return c.told[0].row
}

// readSocket reads rows and messages through the admin socket, of one tenant at a time.
func (w *walls) readSocket(c *walled, rnd *rand.Rand) {
	for n := 0; w.pace(n, 20+int(w.want/1000)); n++ {
		if err := w.readOnce(c, call.Query{Tenant: c.id, Limit: 5, Skip: int64(rnd.IntN(250)), Reverse: rnd.IntN(2) == 0}); err != nil && w.ctx.Err() == nil {
			w.wrong("the admin socket: %v", err)
		}
		r := w.others(c)[rnd.IntN(2)].heard(rnd)
		if found, err := w.link.Row(w.ctx, c.id, r.ID); err == nil {
			w.wrong("the admin socket: %s has a row of another tenant's: %+v", c.name, found)
		} else if !errors.Is(err, call.ErrNotFound) && w.ctx.Err() == nil {
			w.wrong("the admin socket: %v", err)
		}
		if legs, err := w.link.Legs(w.ctx, c.id, call.Cursor{Start: r.Start, ID: r.ID}); len(legs) > 0 || err != nil && w.ctx.Err() == nil {
			w.wrong("the admin socket: %s is told legs of another tenant's call: %v, %v", c.name, legs, err)
		}
	}
}

func (w *walls) readOnce(c *walled, q call.Query) error {
	for r, err := range w.link.Rows(w.ctx, q) {
		if err != nil {
			return err
		}
		w.answered(c, "admin socket: a row", 1, true, shown(r))
		if err := w.messages(c, r.Clone(), "admin socket: messages"); err != nil {
			return err
		}
	}
	return nil
}

// shown returns all that a row holds, in words.
func shown(r *call.Row) []byte {
	b := fmt.Appendf(nil, "%s %s %s %s %s %s", r.Tenant, r.ID, r.CorrelationID, r.UserID, r.TransferorID, r.SharedID)
	b = fmt.Appendf(b, " %q", []string{r.UserPrincipalName, r.UserDisplayName, r.Caller, r.Callee, r.CallerRaw, r.CalleeRaw, r.Trunk, r.FinalSIPPhrase, r.Said, r.Rest, r.Source})
	for claim := range r.Claims() {
		b = fmt.Appendf(b, " %v", claim.Value)
	}
	return b
}

// messages looks at the SIP messages that are kept of a row, each of which has the tenant's mark.
func (w *walls) messages(c *walled, r call.Row, way string) error {
	legs, err := w.link.Legs(w.ctx, c.id, r.Cursor())
	for _, l := range legs {
		for m, err := range w.link.Messages(w.ctx, l) {
			if err != nil {
				return err
			}
			w.answered(c, way, 1, true, fmt.Appendf(nil, "%v > %v, of a row of %s: %s", m.Src, m.Dst, r.Source, m.Raw))
		}
	}
	return err
}

// tail follows each tenant's calls from now on.
func (w *walls) tail() {
	for _, c := range w.tenants {
		for _, form := range []string{"table", "jsonl"} {
			args := []string{"calls", "tail", "--data", w.data, "--tenant", c.name, "-o", form}
			if form == "jsonl" {
				args = append(args, "--open")
			}
			cmd := kit.Command(w.ctx, "trunklog", args...)
			out, err := cmd.StdoutPipe()
			if err != nil {
				w.Fatal(err)
			}
			p, err := kit.Start(cmd)
			if err != nil {
				w.Fatal(err)
			}
			w.tails = append(w.tails, p)
			w.reading.Go(func() {
				for s := bufio.NewScanner(out); s.Scan(); {
					line := bytes.Clone(s.Bytes())
					w.answered(c, "calls tail -o "+form, 1, false, line)
				}
				_, _ = io.Copy(io.Discard, out)
			})
		}
	}
}

// clean fails if what is for the operator has a canary of any tenant, but for the ids and the
// trunks by which the operator knows it.
func (w *walls) clean(where string, b []byte) {
	w.mu.Lock()
	known := slices.Clone(w.ids)
	w.mu.Unlock()
	for _, c := range w.tenants {
		known = append(append(known, c.id.String()), c.trunks...)
	}
	if s := look(b, 0, known...); s.foreign != "" {
		w.wrong("%s: %s", where, s.foreign)
	}
	w.count(where, 1, 0)
}

// end checks that all that was surely told is there, with its messages, whole and alone; that
// every way was taken; and that what the server says to its operator has nobody's canary.
func (w *walls) end() {
	for _, c := range w.tenants {
		w.settled(c)
	}
	for _, p := range w.tails {
		_ = p.Stop() // it is ended by a signal
	}
	w.reading.Wait()
	for _, page := range []string{"/metrics", "/healthz?verbose", "/sources", "/readyz"} {
		_, body, err := getPlain(w.T, "http://"+w.monitor+page)
		if err != nil {
			w.Fatal(err)
		}
		w.clean("what monitoring sees", []byte(body))
	}
	for _, form := range []string{"table", "json"} {
		w.clean("source list", []byte(w.must("source", "list", "--data", w.data, "-o", form)))
	}
	w.clean("import list", []byte(w.must("import", "list", "--data", w.data)))
	if err := w.Stop(); err != nil {
		w.Error(err)
	}
	for line := range strings.Lines(w.server.Log.String()) {
		w.clean("the log", []byte(line))
	}
	w.shares()
}

// settled waits until the calls that were told of a tenant are rows, and looks at all its rows.
func (w *walls) settled(c *walled) {
	for deadline := time.Now().Add(2 * patience); ; time.Sleep(100 * time.Millisecond) { // between two looks
		missing, found := w.missing(c)
		if missing == "" {
			for way, n := range found {
				w.count("a row of "+way, n, n)
			}
			break
		}
		if time.Now().After(deadline) {
			w.Fatalf("seed %d: %s: %s", w.seed, c.name, missing)
		}
	}
	messages := 0
	for r, err := range w.link.Rows(w.ctx, call.Query{Tenant: c.id}) {
		if err != nil {
			w.Fatal(err)
		}
		w.answered(c, "admin socket: a row", 1, true, shown(r))
		if messages++; messages%4 == 0 {
			if err := w.messages(c, r.Clone(), "admin socket: messages"); err != nil {
				w.Fatal(err)
			}
		}
	}
}

// missing says what of a tenant's calls is no row, and how many of each way are.
func (w *walls) missing(c *walled) (missing string, found map[string]int) {
	ids, correlations := map[call.GUID]bool{}, map[call.GUID]bool{}
	for r, err := range w.link.Rows(w.ctx, call.Query{Tenant: c.id}) {
		if err != nil {
			w.Fatal(err)
		}
		ids[r.ID], correlations[r.CorrelationID] = true, true
	}
	found = map[string]int{}
	told := map[string]int{}
	for _, t := range c.told {
		told[t.way]++
		switch {
		case ids[t.row.ID] || correlations[t.row.CorrelationID] && !t.row.CorrelationID.IsZero():
			found[t.way]++
		case t.sure:
			missing = fmt.Sprintf("the call %s, correlation id %s, told by %s at %v, is no row", t.row.ID, t.row.CorrelationID, t.way, t.row.Start)
		}
	}
	for way, n := range told {
		if strings.Contains(way, "UDP") && found[way] < n/2 {
			missing = fmt.Sprintf("of %d calls told by %s, %d are rows", n, way, found[way])
		}
	}
	return missing, found
}

// shares fails if a way had fewer answers than it must have in a round of so many, or never any
// with the tenant's own.
func (w *walls) shares() {
	for name, share := range map[string]struct{ least, own int64 }{
		"$batch": {w.want / 4, w.want / 4}, "a page": {w.want / 200, w.want / 200}, "a nextLink": {w.want / 1000, w.want / 2000}, "a foreign nextLink": {w.want / 1000, 0},
		"a filter by foreign values": {w.want / 1000, 0}, "a foreign path": {w.want / 1000, 0}, "errors and other methods": {w.want / 1000, 0},
		"a bad token": {w.want / 1000, 0}, "metadata and discovery": {w.want / 1000, 0}, "the token endpoint": {1, 1}, "the foreign token endpoint": {1, 0},
		"POST": {w.want / 1000, 0}, "admin socket: a row": {w.want / 200, w.want / 200}, "admin socket: messages": {w.want / 200, w.want / 200},
		"calls list": {6, 6}, "calls get": {3, 1}, "calls ladder": {3, 1}, "calls ladder --json": {3, 1}, "calls ladder --pcap": {3, 1},
		"calls get, a foreign id": {3, 0}, "calls ladder, a foreign id": {3, 0}, "calls tail -o table": {30, 10}, "calls tail -o jsonl": {30, 10},
		"the log": {w.want / 100, 0}, "what monitoring sees": {4, 0}, "a deleted client's token": {3, 0}, "a tenant removed and added again": {3, 1},
	} {
		way := w.ways[name]
		if way == nil {
			way = &wallsWay{}
		}
		if int64(way.answers) < share.least || int64(way.own) < share.own {
			w.Errorf("%s: %d answers, %d with the tenant's own; it must be %d and %d", name, way.answers, way.own, share.least, share.own)
		}
	}
}
