package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/trunklog/trunklog/cert"
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
	samples *samplesFile
}

// openSources opens the inputs that --source names, so that what is wrong with
// one of them is known before the server says that it is ready.
func (p *program) openSources(ctx context.Context, folder *os.Root, s *serving, d *door.Door, in *ingest.Ingest, tenants *tenant.Directory, certs certificates, log *slog.Logger) (all []listening, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, closeSources(all))
		}
	}()
	for _, spec := range s.sources {
		samples := &samplesFile{folder: folder, now: p.now}
		name, src, err := source.Open(spec, source.Options{
			Log:    log,
			Now:    p.now,
			Raw:    s.keepsSIP(),
			Reject: samples.add,
			TLS:    sourceTLS(certs, p.now, log),
			// A sender makes room for others until it is understood.
			Listener: d.Senders,
			Known:    door.Busy,
		})
		if err != nil {
			return all, invalid(err)
		}
		for _, other := range all {
			if other.name == name {
				return all, usage("--source: there are two of the name %s", name)
			}
		}
		samples.name = samplesName(name)
		input := ingest.Input{Source: name, Trunk: src.Trunk(), Microsoft: src.Microsoft(), Hearsay: !src.Authenticated()}
		if t := src.Tenant(); t != "" {
			owner, err := tenants.Find(ctx, t)
			if err != nil {
				return all, fmt.Errorf("--source %s: %w", name, err)
			}
			input.Tenant = owner.ID
		}
		if err := src.Listen(ctx); err != nil {
			return all, fmt.Errorf("--source %s: %w", name, err)
		}
		all = append(all, listening{name, src, in.SinkOf(input), samples})
		log.Info("listening", "source", name, "address", src.Addr().String())
	}
	return all, nil
}

func closeSources(all []listening) error {
	var err error
	for _, l := range all {
		err = errors.Join(err, l.Close())
	}
	return err
}

// run hears calls until ctx is done.
func (l *listening) run(ctx context.Context, in *ingest.Ingest) error {
	defer l.samples.close()
	mark, err := in.Mark(ctx, l.name)
	if err == nil {
		err = l.Run(ctx, mark, l.sink)
	}
	if err != nil {
		return fmt.Errorf("source %s: %w", l.name, err)
	}
	return nil
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

// maxSamples is how large the file of samples may become.
const maxSamples = 8 << 20

// A samplesFile holds samples of what a source could not read, one JSON object a
// line, so that an operator can see what its sender does. It is made when there
// is one. What does not fit is left out: the source counts them all.
type samplesFile struct {
	folder *os.Root // the data folder
	name   string   // in it
	now    func() time.Time

	mu   sync.Mutex
	f    *os.File
	size int64
}

// samplesName returns the file of a source in the data folder.
func samplesName(source string) string {
	return filepath.Join(rejectsName, "source-"+source+".jsonl")
}

type sample struct {
	Time   time.Time `json:"time"`
	Reason string    `json:"reason"`
	Raw    string    `json:"raw"`
}

func (s *samplesFile) add(cause string, raw []byte) {
	b, err := json.Marshal(sample{s.now().UTC(), cause, rawText(raw)})
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f == nil && s.open() != nil {
		return
	}
	if s.size += int64(len(b)) + 1; s.size <= maxSamples {
		_, _ = s.f.Write(append(b, '\n')) // a sample that cannot be kept is counted all the same
	}
}

func (s *samplesFile) open() error {
	if err := s.folder.MkdirAll(filepath.Dir(s.name), 0o700); err != nil {
		return err
	}
	f, err := s.folder.OpenFile(s.name, os.O_CREATE|os.O_WRONLY|os.O_APPEND|noFollow, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.f, s.size = f, info.Size()
	return nil
}

func (s *samplesFile) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f != nil {
		_ = s.f.Close()
		s.f = nil
	}
}
