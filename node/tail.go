package node

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest"
)

// withTail answers who asks for calls as they happen, on the socket alone, until
// the server stops.
func withTail(ctx context.Context, in *ingest.Ingest, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != admin.TailPath {
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
			if err := out.Encode(admin.TailLine{Progress: u.Progress.String(), Missed: u.Missed, Start: u.Row.Start, ID: u.Row.ID.String(), Body: u.Row.AppendBody(nil)}); err != nil {
				return err
			}
			return flush.Flush()
		})
	})
}

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
