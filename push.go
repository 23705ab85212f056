package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format/graphjson"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/source/push"
)

// pushSource is the name by which what is delivered by POST is counted, and the
// first part of the names of its sources.
const pushSource = "http"

// A pushing takes calls that are delivered by POST, and knows what became of
// them.
type pushing struct {
	*push.Handler
	samples *samplesFile
	now     func() time.Time

	mu     sync.Mutex
	totals ingest.Totals
}

// openPush makes what takes calls by POST for the tenant of each token.
func (p *program) openPush(folder *os.Root, s *serving, st call.Store, in *ingest.Ingest, authority *auth.Authority, api *graph.Handler, log *slog.Logger) *pushing {
	x := &pushing{now: p.now, samples: &samplesFile{folder: folder, name: samplesName(pushSource), now: p.now}}
	verify := authorize(authority, auth.RoleIngest)
	x.Handler = push.New(push.Config{
		Decode: graphjson.Decode,
		Sink: func(c push.Caller) call.Sink {
			// The client is part of the name, so that two of them may call
			// different calls the same.
			return &pushSink{x, in.Sink(pushSource+"/"+c.Client, c.Tenant)}
		},
		Authorize: func(r *http.Request) (push.Caller, error) {
			c, err := verify(r)
			return push.Caller{Tenant: c.Tenant, Client: c.Client}, pushRefusal(err)
		},
		Fail: func(w http.ResponseWriter, r *http.Request, c push.Caller, err error) {
			api.Fail(w, r, graph.Caller{Tenant: c.Tenant, Client: c.Client}, graphError(err))
		},
		State:      st,
		Now:        p.now,
		Log:        log,
		Reject:     func(s push.Sample) { x.samples.add(fmt.Sprintf("%s: line %d: %s", s.Cause, s.Line, s.Reason), s.Raw) },
		PutTimeout: s.pushTimeout,
		Turns:      processorTurns(),
	})
	return x
}

// close waits for what requests have not waited for.
func (x *pushing) close() {
	x.Close()
	x.samples.close()
}

// pushRefusal tells who has a good token without the role how to get it. To
// clients of the API such a refusal says nothing, because Graph's does not. That
// a token cannot be checked now, because Entra does not answer, is nothing that
// the sender did.
func pushRefusal(err error) error {
	var e *graph.Error
	switch {
	case !errors.As(err, &e):
	case e.Status >= http.StatusInternalServerError:
		return &push.Error{Status: e.Status, Code: e.Code, Message: e.Message, RetryAfter: e.RetryAfter, Err: e.Err, Cause: push.Failed}
	case e.Status == http.StatusForbidden && e.Message == "":
		e.Message = "The token does not grant the role " + auth.RoleIngest + ": give it to a client with 'trunklog client create NAME --role " + auth.RoleIngest + "', or to the application in Entra."
	}
	return err
}

// graphError returns a refusal in the shape of the API's.
func graphError(err error) error {
	var e *push.Error
	if !errors.As(err, &e) {
		return err
	}
	out := &graph.Error{Status: e.Status, Code: e.Code, Message: e.Message, RetryAfter: e.RetryAfter, Allow: e.Allow, Err: e.Err}
	for _, d := range e.Details {
		out.Details = append(out.Details, graph.Detail{Code: d.Code, Target: fmt.Sprintf("line %d", d.Line), Message: d.Message})
	}
	return out
}

// rows returns what became of all calls so far.
func (x *pushing) rows() ingest.Totals {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.totals
}

// A pushSink is where the calls of one request go.
type pushSink struct {
	x    *pushing
	sink *ingest.Sink
}

// Put implements [call.Sink].
func (s *pushSink) Put(ctx context.Context, events ...call.Event) (call.Outcome, error) {
	out, err := s.sink.Put(ctx, events...)
	if err == nil {
		s.x.mu.Lock()
		defer s.x.mu.Unlock()
		s.x.totals.Add(&out, s.x.now())
	}
	return out, err
}
