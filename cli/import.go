package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/format"
	"github.com/trunklog/trunklog/format/csv"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/source"
)

func (p *program) importCommand() *cobra.Command {
	in := importer{rejects: new(rejectsFile)}
	var maps bool
	cmd := &cobra.Command{
		Use:   "import FORMAT FILE…",
		Short: "Import calls from files",
		Long: `Import calls from files; - is standard input.

  graph   what Microsoft Graph answers: saved pages, rows in an array or as JSON
          lines, what a flow or $batch has put around them, tables whose columns are
          named as Graph's properties, and what trunklog prints (docs/import-graph.md)
  teams   the Teams admin centre's Calls.Export.*.zip, or the CSV in it, also resaved
          by a spreadsheet (.csv, .xlsx)
  csv     any CSV or .xlsx, as --map FILE describes it
  hep     HEP packets saved one after another: SIP messages, of which calls are made
  pcap    captures by tcpdump, Wireshark, sngrep or an SBC (pcap, pcapng, also .gz):
          SIP over UDP and TCP, of which calls are made
  auto    any of these, told by what is in each file, never by its name; FILE may be
          a folder, of which all files are taken but hidden ones. What is of one
          format is an import of its own, with an id. A table in columns that are
          not known is imported only if the map that is given, or exactly one of
          those that come with trunklog, fits it

Each may be packed: gzip, Zstandard and zip, one in another, are told by what is in
the file, whatever its name.

Importing the same thing again changes nothing. A record that cannot be read is
written to the rejects file with its line number, the reason and its raw text;
all others go in, and the exit code is 5. With --dry-run the first of them are
said instead, and nothing is written.`,
		Example: `  trunklog import auto --tenant contoso --dry-run Downloads
  trunklog import teams --tenant contoso Calls.Export.*.zip
  trunklog gen --rows 20000 --from -28d | trunklog import graph --tenant contoso -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("FORMAT is missing: %s are possible", list(importFormats()))
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
			if in.format == autoFormat {
				return in.auto(cmd)
			}
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

// importBatch is how many rows an import writes at once: enough for the store to sort and sync them
// together, and so few that an interrupted import has lost little time.
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
	keepSIP string // as in serve, so that one setting serves both
	keep    string // as in serve
	output  string // the form of the summary

	recording bool
	keeping   *keeping
	done      []fileSummary

	decode   call.Decoder
	ingest   *ingest.Ingest
	sink     *ingest.Sink
	noted    *ingest.Import
	rejects  *rejectsFile // shared by all parts of an import
	rejected int          // rejected records of this part
	reading  string       // the current file
	read     int64        // records read without an error
	took     time.Duration

	// Of a part of an import auto, which found out the formats of the files:
	told     bool
	readyMap string                     // the name of a map that comes with trunklog
	yaml     []byte                     // the map that --map names
	members  map[string]map[string]bool // by archive: the members of the part's format
}

func (in *importer) run(cmd *cobra.Command) (err error) {
	ctx := cmd.Context()
	if err := in.check(); err != nil {
		return err
	}
	if err := in.open(); err != nil {
		return err
	}
	h, err := in.house(ctx, cmd)
	if err != nil {
		return err
	}
	defer h.close(&err)
	if err := in.readyRejects(h); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.rejects.close()) }()
	began := in.now()
	broken, err := in.into(ctx, h)
	if err == nil {
		err = in.outcome(broken)
	}
	return in.summarise(err, in.summary(in.now().Sub(began)))
}

// check checks as much as is possible without the data folder.
func (in *importer) check() error {
	// A setting of -o that is meant for tables does no harm here.
	if in.output != "text" && !slices.Contains(outputForms, in.output) {
		return usage("-o %s: text and json are possible", in.output)
	}
	return in.rejects.check(in.stdin, in.files, in.mapFile, in.dryRun)
}

// readyRejects prepares the rejects file. The first reject creates it.
func (in *importer) readyRejects(h *house) error {
	r := in.rejects
	r.dry, r.stderr, r.now = in.dryRun, in.stderr, in.now
	r.folder, r.dir = h.folder, h.dir
	r.fallback = filepath.Join(datadir.Rejects, fmt.Sprintf("import-%s-%d.jsonl", in.now().UTC().Format("20060102T150405Z"), os.Getpid()))
	return r.ready()
}

// into imports all files, which have one format, and prints the result. broken joins the errors of
// single files; err has ended the import.
func (in *importer) into(ctx context.Context, h *house) (broken, err error) {
	id, err := in.owner(ctx, h)
	if err != nil {
		return nil, err
	}
	if in.keeping, err = in.newKeeping(ctx, h, id); err != nil {
		return nil, err
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
	in.sink = in.ingest.SinkOf(ingest.Input{Source: in.format, Tenant: id, Recorded: in.recording})
	if !in.dryRun {
		if in.recording {
			if err := in.resume(ctx); err != nil {
				return nil, err
			}
		}
		if err := in.noted.Save(ctx, h.store); err != nil {
			return nil, err
		}
	}
	began := in.now()
	progress := in.newProgress(in.files)
	broken, err = in.importFiles(ctx, progress)
	if in.recording && !in.dryRun {
		err = errors.Join(err, in.sink.Flush(ctx))
	}
	progress.done()
	if !in.told { // else auto prints those of all parts
		in.rejects.say(in.stderr)
	}
	in.took = in.now().Sub(began)
	in.report(in.took)
	if !in.dryRun {
		err = errors.Join(err, in.ended(ctx, h, broken != nil || err != nil))
	}
	if n := in.keeping.n; n > 0 {
		fmt.Fprintf(in.stderr, "%s kept, and so the server deletes them: see --keep of 'tenant add' and of 'serve'\n", count(n, "row is older than it is", "rows are older than they are"))
	}
	return broken, err
}

// note prints a decoder's note about the current file.
func (in *importer) note(text string) {
	if len(in.files) > 1 || in.told {
		text = in.reading + ": " + text
	}
	fmt.Fprintln(in.stderr, text)
}

// open finds the decoder of the format, and whether the format records SIP messages.
func (in *importer) open() (err error) {
	options := format.Options{Note: in.note, Preview: in.preview > 0}
	if in.members != nil {
		options.Only = func(name string) bool { return in.members[in.reading][name] }
	}
	if decode, ok := source.Recording(in.format, in.lately, in.note); ok {
		if in.mapFile != "" && !in.told {
			return usage("--map is for format csv")
		}
		in.decode, in.recording = format.Unpacked(decode, options), true
		_, err := sipPeriod(in.keepSIP)
		return err
	}
	switch {
	case in.readyMap != "":
		options.Map, _ = csv.ReadyMap(in.readyMap)
	case in.told && in.format == "csv":
		options.Map = in.yaml
	case in.mapFile != "" && !in.told:
		if options.Map, err = in.readMap(); err != nil {
			return err
		}
	}
	if in.decode, err = format.Open(in.format, options); err != nil {
		if in.format == "csv" && in.mapFile == "" {
			err = fmt.Errorf("%w: name one with --map FILE", err)
		}
		return invalid(err)
	}
	return nil
}

// lately is the time of messages in a recording without times. It is before the import by more than
// the 32 seconds in which SIP repeats a message, so that a call which ends in the recording counts
// as ended.
func (in *importer) lately() time.Time { return in.now().Add(-time.Minute) }

// resume loads the calls whose end was not in an earlier recording.
func (in *importer) resume(ctx context.Context) error {
	_, err := in.ingest.Resume(ctx, func(source string) bool { return source == in.format })
	return err
}

// importFiles imports all files, and goes on behind one that breaks off. broken joins the errors of
// those.
func (in *importer) importFiles(ctx context.Context, progress *progress) (broken, err error) {
	for _, name := range in.files {
		file := fileSummary{Name: name, Read: -in.read, Rejected: -in.rejected}
		err := in.importFile(ctx, name, progress)
		var end *endError
		switch {
		case err == nil:
		case errors.Is(err, errNotOpened): // nothing was read, so no record is lost
			broken = errors.Join(broken, err)
		case !errors.As(err, &end) || ctx.Err() != nil:
			in.finished(file, err)
			return broken, err
		default:
			// The rest of the file is lost to this import: it counts as one rejected record.
			if err := in.reject(name, end.record()); err != nil {
				return broken, err
			}
			broken = errors.Join(broken, fmt.Errorf("%s: %w", name, end.err))
		}
		in.finished(file, err)
	}
	return broken, nil
}

// finished notes the result of a file. The counts in file are those before it, negated.
func (in *importer) finished(file fileSummary, err error) {
	file.Read += in.read
	file.Rejected += in.rejected
	if err != nil {
		file.Error = call.Words(err)
	}
	if in.told {
		file.Format = in.what()
		in.sayFile(&file)
	}
	in.done = append(in.done, file)
	if err == nil {
		in.sayIfEmpty(file.Name, file)
	}
}

// reject counts an unreadable record, and writes it to the rejects file.
func (in *importer) reject(name string, e *call.SyntaxError) error {
	if err := in.rejects.add(name, e); err != nil {
		return err
	}
	in.rejected++
	return nil
}

// report prints the result for the records or messages.
func (in *importer) report(took time.Duration) {
	if in.recording {
		in.reportCalls(took)
		return
	}
	if in.dryRun {
		fmt.Fprintf(in.stderr, "dry run: %s can be imported, %d cannot; nothing was written\n", count(in.read, "record", "records"), in.rejected)
		return
	}
	t := in.sink.Totals()
	n := t.New + t.Changed + t.Same
	fmt.Fprintf(in.stderr, "imported %s: %d new, %d changed, %d known already; %d rejected", count(n, "row", "rows"), t.New, t.Changed, t.Same, in.rejected)
	if t.Linked > 0 {
		fmt.Fprintf(in.stderr, "; %d joined with what another source said of the same call", t.Linked)
	}
	if t.Unassigned > 0 {
		fmt.Fprintf(in.stderr, "; %d belong to no tenant's trunk and were kept as unassigned", t.Unassigned)
	}
	fmt.Fprintf(in.stderr, " (%s, %.0f rows/s)\n", took.Round(time.Millisecond), float64(n)/max(took.Seconds(), 0.001))
}

// count returns n with its singular or plural word.
func count[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
