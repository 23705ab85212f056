package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format"
	"github.com/trunklog/trunklog/format/csv"
	"github.com/trunklog/trunklog/format/graphjson"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/source"
)

func (p *program) importCommand() *cobra.Command {
	var in importer
	var maps bool
	cmd := &cobra.Command{
		Use:   "import FORMAT FILE…",
		Short: "Import calls from files",
		Long: `Import calls from files; - is standard input.

  graph   what Microsoft Graph answers: saved pages, rows in an array or as JSON
          lines, what a flow or $batch has put around them (docs/import-graph.md)
  teams   the Teams admin centre's Calls.Export.*.zip, or the CSV in it, also resaved
          by a spreadsheet (.csv, .xlsx)
  csv     any CSV or .xlsx, as --map FILE describes it
  hep     HEP packets saved one after another: SIP messages, of which calls are made
  pcap    captures by tcpdump, Wireshark, sngrep or an SBC (pcap, pcapng, also .gz):
          SIP over UDP and TCP, of which calls are made

Each may be packed: gzip, Zstandard and zip, one in another, are told by what is in
the file, whatever its name.

Importing the same thing again changes nothing. A record that cannot be read is
written to the rejects file with its line number, the reason and its raw text;
all others go in, and the exit code is 5. With --dry-run the first of them are
said instead, and nothing is written.`,
		Example: `  trunklog import teams --tenant contoso Calls.Export.*.zip
  trunklog gen --rows 20000 --from -28d | trunklog import graph --tenant contoso -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("FORMAT is missing: %s are possible", list(append(format.Names(), source.Recordings()...)))
			}
			if err := knownFormat(args[0]); err != nil {
				return err
			}
			if maps {
				if args[0] != "csv" {
					return usage("--maps is for format csv")
				}
				return p.printMaps(args[1:])
			}
			if len(args) == 1 {
				return usage("FILE is missing; - is standard input")
			}
			in.program, in.format, in.files = p, args[0], args[1:]
			if cmd.Flags().Changed("preview") {
				return in.show(cmd.Context())
			}
			return in.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringVar(&in.tenant, "tenant", "", "the `NAME` or GUID of the tenant whose calls these are (default: found by the trunk of each call)")
	f.BoolVar(&in.dryRun, "dry-run", false, "read everything and write nothing, no rejects file either")
	f.StringVar(&in.rejects.path, "rejects", "", "write what cannot be read to a new `FILE` (default: one in DATA/rejects)")
	cmd.AddCommand(p.importListCommand(), p.importUndoCommand())
	f.StringVar(&in.mapFile, "map", "", "how to read the CSV: a YAML `FILE`, or one of "+list(csv.ReadyMaps())+" (see docs/import-csv.md)")
	f.BoolVar(&maps, "maps", false, "list the maps that come with trunklog, or print those that are named, and import nothing")
	f.IntVar(&in.preview, "preview", 0, "show the `N` oldest and newest calls as they would be, and write nothing; no tenant and no data folder are needed")
	f.StringVarP(&in.output, "output", "o", "text", "say what became of it as `FORM`, too: json, on standard output")
	f.StringVar(&in.keep, "keep", "10y", "as of serve: rows that are older than `PERIOD` are told")
	_ = f.MarkHidden("keep")
	f.StringVar(&in.keepSIP, "keep-sip", "off", "keep the SIP messages too, of formats hep and pcap; the server deletes them after its own `PERIOD`")
	return cmd
}

// importBatch is how many rows are written at once. It is large enough for the
// store to sort and sync them together, and small enough that an interrupted
// import has lost little time.
const importBatch = 5000

// An importer is one run of the import command.
type importer struct {
	*program
	format  string
	files   []string
	tenant  string
	dryRun  bool
	mapFile string
	preview int
	keepSIP string // as of serve, so that one setting serves both
	keep    string // the same
	output  string // of the summary

	recording bool
	keeping   *keeping
	done      []fileSummary

	decode  call.Decoder
	ingest  *ingest.Ingest
	sink    *ingest.Sink
	noted   *ingest.Import
	rejects rejectsFile
	reading string // the file that is being read
	read    int64  // records that could be read
}

func (in *importer) run(cmd *cobra.Command) (err error) {
	ctx := cmd.Context()
	if err := in.rejects.check(in.stdin, in.files, in.mapFile, in.dryRun); err != nil {
		return err
	}
	recording, err := in.open()
	if err != nil {
		return err
	}
	// A setting that is meant for tables does no harm here.
	if in.output != "text" && !slices.Contains(outputForms, in.output) {
		return usage("-o %s: text and json are possible", in.output)
	}
	h, err := in.house(ctx, cmd)
	if err != nil {
		return err
	}
	defer h.close(&err)
	id, err := in.owner(ctx, h)
	if err != nil {
		return err
	}
	if in.keeping, err = in.newKeeping(ctx, h, id); err != nil {
		return err
	}
	in.noted = in.newImport(id)
	in.ingest = ingest.New(ingest.Config{
		Store:   h.store,
		Import:  in.noted.ID,
		Tenant:  func(trunk string) (call.GUID, bool) { return h.tenants.ByTrunk(ctx, trunk) },
		Now:     in.now,
		Number:  func(trunk, number string) string { return h.tenants.Number(ctx, trunk, number) },
		KeepSIP: keepsSIP(in.keepSIP),
	})
	in.recording = recording
	in.sink = in.ingest.SinkOf(ingest.Input{Source: in.format, Tenant: id, Recorded: recording})
	if recording && !in.dryRun {
		if err := in.resume(ctx); err != nil {
			return err
		}
	}
	in.rejects.dry, in.rejects.stderr = in.dryRun, in.stderr
	in.rejects.folder, in.rejects.dir = h.folder, h.dir
	in.rejects.fallback = filepath.Join(rejectsName, fmt.Sprintf("import-%s-%d.jsonl", in.now().UTC().Format("20060102T150405Z"), os.Getpid()))
	in.rejects.now = in.now
	if err := in.rejects.ready(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.rejects.close()) }()

	if !in.dryRun {
		if err := in.noted.Save(ctx, h.store); err != nil {
			return err
		}
	}
	began := in.now()
	progress := in.newProgress(in.files)
	err = in.importFiles(ctx, progress)
	if recording && !in.dryRun {
		err = errors.Join(err, in.sink.Flush(ctx))
	}
	progress.done()
	in.rejects.say(in.stderr)
	took := in.now().Sub(began)
	if recording {
		in.reportCalls(took)
	} else {
		in.report(took)
	}
	if !in.dryRun {
		err = errors.Join(err, in.ended(ctx, h, err != nil))
	}
	if n := in.keeping.n; n > 0 {
		fmt.Fprintf(in.stderr, "%s kept, and so the server deletes them: see --keep of 'tenant add' and of 'serve'\n", count(n, "row is older than it is", "rows are older than they are"))
	}
	if err == nil {
		err = in.outcome()
	}
	return in.summarise(err, took)
}

// open finds the decoder of the format, and reports whether it is that of a
// recording of SIP messages.
func (in *importer) open() (recording bool, err error) {
	note := func(text string) {
		if len(in.files) > 1 {
			text = in.reading + ": " + text
		}
		fmt.Fprintln(in.stderr, text)
	}
	if decode, ok := source.Recording(in.format, in.lately, note); ok {
		if in.mapFile != "" {
			return true, usage("--map is for format csv")
		}
		in.decode = format.Unpacked(decode, note)
		_, err := sipPeriod(in.keepSIP)
		return true, err
	}
	options := format.Options{Note: note, Preview: in.preview > 0}
	if in.mapFile != "" {
		if options.Map, err = in.readMap(); err != nil {
			return false, err
		}
	}
	if in.decode, err = format.Open(in.format, options); err != nil {
		if in.format == "csv" && in.mapFile == "" {
			err = fmt.Errorf("%w: name one with --map FILE", err)
		}
		return false, invalid(err)
	}
	return false, nil
}

// lately is when messages were sent of which a recording does not tell it: before
// the import, by more than the 32 seconds in which SIP repeats a message, so that
// a call that ends in the recording has ended.
func (in *importer) lately() time.Time { return in.now().Add(-time.Minute) }

// resume takes up the calls whose end an earlier recording did not have.
func (in *importer) resume(ctx context.Context) error {
	_, err := in.ingest.Resume(ctx, func(source string) bool { return source == in.format })
	return err
}

// importFiles imports all files, and goes on behind one that breaks off.
func (in *importer) importFiles(ctx context.Context, progress *progress) error {
	var broken error
	for _, name := range in.files {
		before, rejected := in.read, in.rejects.n
		err := in.importFile(ctx, name, progress)
		file := fileSummary{Name: name, Read: in.read - before, Rejected: in.rejects.n - rejected}
		if err == nil {
			in.done = append(in.done, file)
			in.sayIfEmpty(name, file)
			continue
		}
		file.Error = words(err)
		in.done = append(in.done, file)
		if errors.Is(err, errNotOpened) { // nothing of it is lost
			broken = errors.Join(broken, err)
			continue
		}
		var end *endError
		if !errors.As(err, &end) || ctx.Err() != nil {
			return err
		}
		// Whatever the file still held is lost to this import: that is a
		// rejected record like others if anything was good.
		if err := in.rejects.add(name, end.record()); err != nil {
			return err
		}
		broken = errors.Join(broken, fmt.Errorf("%s: %w", name, end.err))
	}
	if broken != nil && in.read > 0 {
		return &exitError{exitPart, broken}
	}
	return broken
}

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
	batches := make(chan []call.Event, 1)
	g.Go(func() error {
		defer close(batches)
		return in.decodeFile(writing, name, progress.reader(name, r), batches, progress)
	})
	g.Go(func() error {
		for events := range batches {
			if err := in.put(ctx, events); err != nil {
				return err
			}
			progress.rows(len(events))
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
		return nil, nil, fmt.Errorf("%w%s is a folder: name the files in it", errNotOpened, name)
	}
	return f, func() { f.Close() }, nil
}

// decodeFile sends the good records of a file to batches and the bad ones to
// the rejects file. What was decoded before an error is sent.
func (in *importer) decodeFile(ctx context.Context, name string, r io.Reader, batches chan<- []call.Event, progress *progress) error {
	var batch []call.Event
	send := func() error {
		if len(batch) == 0 {
			return nil
		}
		select {
		case batches <- batch:
			in.read += int64(len(batch))
			batch = make([]call.Event, 0, importBatch)
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
			if err := in.rejects.add(name, syntax); err != nil {
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

// report says what became of the records.
func (in *importer) report(took time.Duration) {
	if in.dryRun {
		fmt.Fprintf(in.stderr, "dry run: %s can be imported, %d cannot; nothing was written\n", count(in.read, "record", "records"), in.rejects.n)
		return
	}
	t := in.sink.Totals()
	n := t.New + t.Changed + t.Same
	fmt.Fprintf(in.stderr, "imported %s: %d new, %d changed, %d known already; %d rejected", count(n, "row", "rows"), t.New, t.Changed, t.Same, in.rejects.n)
	if t.Linked > 0 {
		fmt.Fprintf(in.stderr, "; %d joined with what another source said of the same call", t.Linked)
	}
	if t.Unassigned > 0 {
		fmt.Fprintf(in.stderr, "; %d belong to no tenant's trunk and were kept as unassigned", t.Unassigned)
	}
	fmt.Fprintf(in.stderr, " (%s, %.0f rows/s)\n", took.Round(time.Millisecond), float64(n)/max(took.Seconds(), 0.001))
}

// count returns n with the word for one or for many.
func count[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
