package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/ingest"
)

func (p *program) callsTailCommand() *cobra.Command {
	var s selection
	var form string
	var open bool
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Print calls as they happen",
		Long: `Print calls as they happen: each when its row is written, and with --open also
when it begins to ring and when it is answered. A server has to be running on the
data folder. What is printed is what came in: a row that is amended is printed
again.`,
		Example: `  trunklog calls tail --tenant contoso --open
  trunklog calls tail --result failed -o jsonl`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if form != "table" && form != "jsonl" {
				return usage("-o %s: table and jsonl are possible", form)
			}
			h, err := p.enter(cmd.Context(), cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			if !h.served {
				return fmt.Errorf("no server runs on %s: calls happen while one does", h.dir)
			}
			q, err := s.query(cmd.Context(), p, h)
			if err != nil {
				return err
			}
			in, err := s.zone.location(p.stdout)
			if err != nil {
				return err
			}
			return p.tail(cmd.Context(), h, q, open, form, in)
		},
	}
	s.flags(cmd)
	_ = cmd.Flags().MarkHidden("from") // they select by what a call is, not by when
	_ = cmd.Flags().MarkHidden("to")
	cmd.Flags().BoolVar(&open, "open", false, "print calls that have not ended, too")
	cmd.Flags().StringVarP(&form, "output", "o", "table", "print as `FORM`: table, jsonl")
	return cmd
}

// A tailLine is one line of what the server tells of calls as they happen.
type tailLine struct {
	Progress string    `json:"progress"`
	Missed   int64     `json:"missed,omitempty"`
	Start    time.Time `json:"start"`
	ID       string    `json:"id"`
	Body     []byte    `json:"body"` // call.Row.AppendBody
}

const tailPath = "/tail"

// withTail answers who asks for calls as they happen, on the socket alone, until
// the server stops.
func withTail(ctx context.Context, in *ingest.Ingest, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != tailPath {
			others.ServeHTTP(w, r)
			return
		}
		tenant, err := call.ParseGUID(r.URL.Query().Get("tenant"))
		if err != nil {
			http.Error(w, "tenant: not a GUID", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		flush := http.NewResponseController(w)
		out := json.NewEncoder(w)
		_ = flush.Flush()
		watching, stop := context.WithCancel(r.Context())
		defer stop()
		defer context.AfterFunc(ctx, stop)()
		_ = in.Watch(watching, r.URL.Query().Get("open") == "true", func(u ingest.Update) error {
			if u.Row.Tenant != tenant {
				return nil
			}
			if err := out.Encode(tailLine{u.Progress.String(), u.Missed, u.Row.Start, u.Row.ID.String(), u.Row.AppendBody(nil)}); err != nil {
				return err
			}
			return flush.Flush()
		})
	})
}

// adminClient returns a client of the socket of the server that owns a data folder. Its
// connections are the caller's to close.
func adminClient(data string) *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", datadir.Socket(data))
		},
	}}
}

// tail prints what the server tells until it or the user stops.
func (p *program) tail(ctx context.Context, h *house, q call.Query, open bool, form string, in *time.Location) error {
	client := adminClient(h.dir)
	defer client.CloseIdleConnections()
	url := fmt.Sprintf("http://admin%s?tenant=%s&open=%t", tailPath, q.Tenant, open)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s: is it of another version?", resp.Status)
	}
	lines := json.NewDecoder(bufio.NewReader(resp.Body))
	for {
		var u tailLine
		if err := lines.Decode(&u); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return errors.New("the server has stopped")
		}
		if err := p.printUpdate(&u, q, form, in); err != nil {
			return err
		}
	}
}

func (p *program) printUpdate(u *tailLine, q call.Query, form string, in *time.Location) error {
	id, err := call.ParseGUID(u.ID)
	if err != nil {
		return err
	}
	var r call.Row
	if err := r.ParseBody(q.Tenant, u.Start, id, string(u.Body)); err != nil {
		return err
	}
	if u.Missed > 0 {
		fmt.Fprintf(p.stderr, "%d updates were left out: they came faster than they could be printed\n", u.Missed)
	}
	if q.Where != nil && !q.Where.Match(&r) {
		return nil
	}
	if form == "jsonl" {
		row := graph.AppendRow(nil, &r, graph.RowOptions{Beta: true})
		_, err = fmt.Fprintf(p.stdout, "{\"progress\":%q,\"call\":%s}\n", u.Progress, row)
		return err
	}
	at := r.Start
	if at.IsZero() {
		at = r.Invite
	}
	result := u.Progress
	if u.Progress == ingest.Ended.String() {
		if result = fmt.Sprintf("failed %d %s", r.FinalSIPCode, r.FinalSIPPhrase); r.Successful {
			result = strconv.Itoa(int(r.Duration)) + " s"
		}
	}
	_, err = fmt.Fprintf(p.stdout, "%s  %-22s  %16s → %-16s  %-24s  %s\n",
		at.In(in).Format(tailTime), printable(fieldText(&r, call.FieldCallType, in)), printable(r.Caller), printable(r.Callee), printable(r.Trunk), printable(result))
	return err
}

// tailTime has the zone in each line, because there is none above them.
const tailTime = "2006-01-02 15:04:05.000Z07:00"

// An announcing store has the rows that commands write through the socket go the way
// of all others, tells who watches of them, and who remembers state of the names that
// they change.
type announcing struct {
	call.Store
	call.Keeper
	in      *ingest.Ingest
	changed []func(name string)
}

// Write implements [call.Store]. After an error it is not known what was
// written.
func (a *announcing) Write(ctx context.Context, b call.Batch) (call.Result, error) {
	res, err := a.in.Write(ctx, b)
	for name := range b.State {
		for _, changed := range a.changed {
			changed(name)
		}
	}
	a.in.Announce(ctx, b.Rows, res) // of nothing after an error
	return res, err
}

// announce wraps the store of the socket. It must be a [call.Keeper], as the
// store of a server is.
func announce(st call.Store, in *ingest.Ingest, changed ...func(name string)) call.Store {
	if keeper, ok := st.(call.Keeper); ok {
		return &announcing{st, keeper, in, changed}
	}
	return st
}
