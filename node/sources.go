package node

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/cert"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/door"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/source"
)

// A listening is a source of the server with the sink that takes its events.
type listening struct {
	name string
	source.Source
	sink    *ingest.Sink
	samples *datadir.Samples
}

// A sourceOpener opens the inputs of a server.
type sourceOpener struct {
	n        *Node
	requests source.Requests

	next *listening // for which options were last built
	all  []*listening
}

// open opens the sources that every server has and those of --source, so that a fault in one of
// them shows before the server reports that it is ready.
func (o *sourceOpener) open(ctx context.Context) ([]*listening, error) {
	err := o.openAll(ctx)
	if err != nil {
		return nil, errors.Join(err, closeSources(o.all))
	}
	return o.all, nil
}

func (o *sourceOpener) openAll(ctx context.Context) error {
	c := &o.n.c
	err := c.Kinds.Standing(o.options, func(_ string, src source.Source) error { return o.take(ctx, src) })
	if err != nil {
		return err
	}
	for _, spec := range c.Sources {
		name, src, err := c.Kinds.Open(spec, o.options)
		if err != nil {
			return wrongIfInvalid(err)
		}
		if slices.ContainsFunc(o.all, func(l *listening) bool { return l.name == name }) {
			return twoSources(name)
		}
		if err := o.take(ctx, src); err != nil {
			return fmt.Errorf("--source %s: %w", name, err)
		}
		c.Log.Info("listening", "source", name, "address", src.About().Address)
	}
	return nil
}

// options returns what the source of the given name needs.
func (o *sourceOpener) options(name string) source.Options {
	l := &listening{name: name, samples: datadir.NewSamples(o.n.folder, name, o.n.c.Now)}
	o.next = l
	return source.Options{
		Log:      o.n.c.Log,
		Now:      o.n.c.Now,
		Raw:      o.n.c.SIP,
		Reject:   l.samples.Add,
		TLS:      o.n.sourceTLS,
		SenderCA: func() (*x509.CertPool, error) { return cert.TrustSenders(datadir.TLS(o.n.c.Data)) },
		// The door may close a sender's connection to make room for others until the source
		// understands it.
		Listener: o.n.door.Senders,
		Known:    door.Busy,
		From:     func(names []string) call.Sink { return l.sink.From(names) },
		Of:       func(sender string, tenant call.GUID) call.Sink { return l.sink.Of(sender, tenant) },
		Requests: o.requests,
	}
}

// take makes the source that was opened last listen.
func (o *sourceOpener) take(ctx context.Context, src source.Source) error {
	l := o.next
	l.Source = src
	o.all = append(o.all, l)
	about := src.About()
	input := ingest.Input{Source: l.name, Trunk: about.Trunk, Microsoft: about.Microsoft, Hearsay: !about.Authenticated}
	if about.Tenant != "" {
		owner, err := o.n.tenants.Find(ctx, about.Tenant)
		if err != nil {
			return err
		}
		input.Tenant = owner.ID
	}
	l.sink = o.n.in.SinkOf(input)
	return src.Listen(ctx)
}

func closeSources(all []*listening) error {
	var err error
	for _, l := range all {
		err = errors.Join(err, l.Close())
		l.samples.Close()
	}
	return err
}

// run runs the source from its mark on, until ctx is done.
func (l *listening) run(ctx context.Context, in *ingest.Ingest) error {
	mark, err := in.Mark(ctx, l.name)
	if err == nil {
		err = l.Run(ctx, mark, l.sink)
	}
	if err != nil {
		return fmt.Errorf("source %s: %w", l.name, err)
	}
	return nil
}

// served returns the handlers of the sources on the server's own ports, by path.
func served(all []*listening) map[string]http.Handler {
	paths := map[string]http.Handler{}
	for _, l := range all {
		if h, ok := l.Source.(source.Served); ok {
			paths[h.Path()] = h
		}
	}
	return paths
}
