package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format/graphjson"
)

// sayIfEmpty says that a file held no record. It may be the wrong file.
func (in *importer) sayIfEmpty(name string, file fileSummary) {
	if file.Read+int64(file.Rejected) > 0 {
		return
	}
	if name == "-" {
		name = "standard input"
	}
	fmt.Fprintf(in.stderr, "%s: no record was found in it\n", name)
}

// errNotOpened marks the error of a file of which nothing was read. It has no text
// of its own.
var errNotOpened = errors.New("")

// An endError is an error after which a file cannot be read on.
type endError struct{ err error }

func (e *endError) Error() string { return e.err.Error() }
func (e *endError) Unwrap() error { return e.err }

// record returns e as what it says of one record, if it is about one.
func (e *endError) record() *call.SyntaxError {
	lost := &call.SyntaxError{Err: e.err}
	var cut *graphjson.CutError
	if errors.As(e.err, &cut) {
		lost.Line, lost.Raw = cut.Line, cut.Raw
	}
	return lost
}

// importFile reads one file and writes what it holds: one goroutine decodes,
// the other writes.
func (in *importer) importFile(ctx context.Context, name string, progress *progress) error {
	in.reading = name
	r, done, err := in.openFile(name)
	if err != nil {
		return err
	}
	defer done()
	// Decoding stops when writing has failed, but not the other way round: what
	// was good before a file breaks off is still written.
	g, writing := errgroup.WithContext(ctx)
	batches, used := make(chan []call.Event, 1), make(chan []call.Event, 3)
	g.Go(func() error {
		defer close(batches)
		return in.decodeFile(writing, name, progress.reader(name, r), batches, used, progress)
	})
	g.Go(func() error {
		for events := range batches {
			if err := in.put(ctx, events); err != nil {
				return err
			}
			progress.rows(len(events))
			if in.recording {
				continue // ingest holds messages for longer
			}
			select {
			case used <- events[:0]:
			default:
			}
		}
		return nil
	})
	return g.Wait()
}

// openFile opens one of the files that are named. Whoever has read it calls done.
func (in *importer) openFile(name string) (r io.Reader, done func(), err error) {
	if name == "-" {
		return in.stdin, func() {}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("%w%w", errNotOpened, err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, nil, fmt.Errorf("%w%s is a folder: name the files in it, or 'import auto' it", errNotOpened, name)
	}
	return f, func() { f.Close() }, nil
}

// decodeFile sends the good records of a file to batches and the bad ones to
// the rejects file. What was decoded before an error is sent. It fills what comes
// from used again.
func (in *importer) decodeFile(ctx context.Context, name string, r io.Reader, batches chan<- []call.Event, used <-chan []call.Event, progress *progress) error {
	var batch []call.Event
	send := func() error {
		if len(batch) == 0 {
			return nil
		}
		select {
		case batches <- batch:
			in.read += int64(len(batch))
			select {
			case batch = <-used:
			default:
				batch = make([]call.Event, 0, importBatch)
			}
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for e, err := range in.decode(r) {
		if err == nil {
			err = in.sink.Prepare(&e)
		}
		var syntax *call.SyntaxError
		switch {
		case errors.As(err, &syntax):
			progress.reject()
			if err := in.reject(name, syntax); err != nil {
				return err
			}
			continue
		case err != nil:
			return errors.Join(&endError{err}, send())
		}
		if batch = append(batch, e); len(batch) >= importBatch {
			if err := send(); err != nil {
				return err
			}
		}
	}
	return send()
}

// put writes events durably.
func (in *importer) put(ctx context.Context, events []call.Event) error {
	in.keeping.see(ctx, events)
	if in.dryRun {
		return nil
	}
	out, err := in.sink.Put(ctx, events...)
	return errors.Join(err, out.Err())
}
