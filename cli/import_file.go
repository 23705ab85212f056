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

// sayIfEmpty warns that a file held no record, since it may be the wrong file.
func (in *importer) sayIfEmpty(name string, file fileSummary) {
	if file.Read+int64(file.Rejected) > 0 {
		return
	}
	if name == "-" {
		name = "standard input"
	}
	fmt.Fprintf(in.stderr, "%s: no record was found in it\n", name)
}

// errNotOpened marks the error of a file of which nothing was read. It has no text of its own.
var errNotOpened = errors.New("")

// An endError is an error that ends the reading of a file.
type endError struct{ err error }

func (e *endError) Error() string { return e.err.Error() }
func (e *endError) Unwrap() error { return e.err }

// record returns e as the error of one record, with the record's line and text if e has them.
func (e *endError) record() *call.SyntaxError {
	lost := &call.SyntaxError{Err: e.err}
	var cut *graphjson.CutError
	if errors.As(e.err, &cut) {
		lost.Line, lost.Raw = cut.Line, cut.Raw
	}
	return lost
}

// importFile reads one file and writes its records: one goroutine decodes, the other writes.
func (in *importer) importFile(ctx context.Context, name string, progress *progress) error {
	in.reading = name
	r, done, err := in.openFile(name)
	if err != nil {
		return err
	}
	defer done()
	// Decoding stops if writing has failed. Writing goes on if decoding has failed, because the
	// records in front of a file's break are good.
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
				continue // ingest keeps the messages, so the batch cannot be used again
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

// openFile opens one of the named files. The caller calls done when it has read it.
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

// decodeFile sends the good records of a file to batches and the bad ones to the rejects file. It
// sends what it decoded before an error, too. It takes empty batches from used.
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

// put writes events durably, except in a dry run.
func (in *importer) put(ctx context.Context, events []call.Event) error {
	in.keeping.see(ctx, events)
	if in.dryRun {
		return nil
	}
	out, err := in.sink.Put(ctx, events...)
	return errors.Join(err, out.Err())
}
