package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/cert"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/door"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/source"
	"github.com/trunklog/trunklog/tenant"
)

// A listening is a source of the server, and where its events go.
type listening struct {
	name string
	source.Source
	sink    *ingest.Sink
	samples *datadir.Samples
}

// kinds returns the table of sources.
func (p *program) kinds() source.Table {
	if p.sources == nil {
		return source.Kinds()
	}
	return p.sources
}

// A sourceOpener opens the inputs of a server.
type sourceOpener struct {
	p        *program
	s        *serving
	folder   *os.Root // the data folder
	door     *door.Door
	in       *ingest.Ingest
	tenants  *tenant.Directory
	certs    certificates
	requests source.Requests
	log      *slog.Logger

	next *listening // that options were asked for
	all  []*listening
}

// open opens the sources that every server has and those that --source names, so that
// what is wrong with one of them is known before the server says that it is ready.
func (o *sourceOpener) open(ctx context.Context) ([]*listening, error) {
	err := o.openAll(ctx)
	if err != nil {
		return nil, errors.Join(err, closeSources(o.all))
	}
	return o.all, nil
}

func (o *sourceOpener) openAll(ctx context.Context) error {
	kinds := o.p.kinds()
	err := kinds.Standing(o.options, func(_ string, src source.Source) error { return o.take(ctx, src) })
	if err != nil {
		return err
	}
	for _, spec := range o.s.sources {
		name, src, err := kinds.Open(spec, o.options)
		if err != nil {
			return invalid(err)
		}
		if slices.ContainsFunc(o.all, func(l *listening) bool { return l.name == name }) {
			return usage("--source: there are two of the name %s", name)
		}
		if err := o.take(ctx, src); err != nil {
			return fmt.Errorf("--source %s: %w", name, err)
		}
		o.log.Info("listening", "source", name, "address", src.About().Address)
	}
	return nil
}

// options returns what the source of a name needs.
func (o *sourceOpener) options(name string) source.Options {
	l := &listening{name: name, samples: datadir.NewSamples(o.folder, name, o.p.now)}
	o.next = l
	return source.Options{
		Log:    o.log,
		Now:    o.p.now,
		Raw:    o.s.keepsSIP(),
		Reject: l.samples.Add,
		TLS:    sourceTLS(o.certs, o.p.now, o.log),
		// A sender makes room for others until it is understood.
		Listener: o.door.Senders,
		Known:    door.Busy,
		Of:       func(sender string, tenant call.GUID) call.Sink { return l.sink.Of(sender, tenant) },
		Requests: o.requests,
	}
}

// take has the source that was opened last listen.
func (o *sourceOpener) take(ctx context.Context, src source.Source) error {
	l := o.next
	l.Source = src
	o.all = append(o.all, l)
	about := src.About()
	input := ingest.Input{Source: l.name, Trunk: about.Trunk, Microsoft: about.Microsoft, Hearsay: !about.Authenticated}
	if about.Tenant != "" {
		owner, err := o.tenants.Find(ctx, about.Tenant)
		if err != nil {
			return err
		}
		input.Tenant = owner.ID
	}
	l.sink = o.in.SinkOf(input)
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

// run hears calls until ctx is done.
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

// served returns what answers requests on the server's own ports, by path.
func served(all []*listening) map[string]http.Handler {
	paths := map[string]http.Handler{}
	for _, l := range all {
		if h, ok := l.Source.(source.Served); ok {
			paths[h.Path()] = h
		}
	}
	return paths
}

// sourceTLS returns what a source serves TLS with: the files that it names, or
// the certificate that the server has anyway.
func sourceTLS(certs certificates, now func() time.Time, log *slog.Logger) func(certFile, keyFile string) (*tls.Config, error) {
	return func(certFile, keyFile string) (*tls.Config, error) {
		if certFile == "" {
			return certs.TLS(), nil
		}
		files, err := cert.Files(certFile, keyFile, now, func(err error) { log.Warn("certificate", "err", err) })
		if err != nil {
			return nil, err
		}
		return files.TLS(), nil
	}
}
