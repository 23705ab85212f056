package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format"
	"github.com/trunklog/trunklog/source"
)

// autoFormat is the FORMAT that finds out each file's format by its content.
const autoFormat = "auto"

// An autoImport is an import that finds out the formats of its files. All files of one format
// become a part, as if the operator had named that format. Each part is an import of its own,
// because undoing an import depends on its format.
type autoImport struct {
	importer
	parts  []*importer
	broken error // the errors of files of no part
}

// auto finds out the formats of files, and imports or previews them.
func (in *importer) auto(cmd *cobra.Command) (err error) {
	ctx := cmd.Context()
	a := &autoImport{importer: *in}
	data, _ := cmd.Flags().GetString("data")
	if err := a.gather(data); err != nil {
		return err
	}
	if cmd.Flags().Changed("preview") {
		return a.preview(ctx)
	}
	if err := a.check(); err != nil {
		return err
	}
	if _, err := sipPeriod(in.keepSIP); err != nil {
		return err
	}
	h, err := a.house(ctx, cmd)
	if err != nil {
		return err
	}
	defer h.close(&err)
	if err := a.readyRejects(h); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.rejects.close()) }()
	began := a.now()
	err = a.tell(ctx)
	for _, part := range a.parts {
		if err != nil {
			break
		}
		err = a.take(part, func() (error, error) { return part.into(ctx, h) })
	}
	a.rejects.say(a.stderr)
	if err == nil {
		err = a.outcome(a.broken)
	}
	return a.summarise(err, a.summary(a.now().Sub(began)))
}

// take imports or previews a part, and adds its counts to those of a.
func (a *autoImport) take(part *importer, do func() (broken, err error)) error {
	if err := part.open(); err != nil {
		return err
	}
	broken, err := do()
	a.broken = errors.Join(a.broken, broken)
	a.read += part.read
	a.rejected += part.rejected
	a.done = append(a.done, part.done...)
	return err
}

// summary returns the summary of all parts.
func (a *autoImport) summary(took time.Duration) summary {
	s := a.importer.summary(took)
	for _, part := range a.parts {
		if part.noted == nil {
			continue // the import ended before this part
		}
		p := part.summary(0)
		p.Seconds = part.took.Seconds()
		s.New += p.New
		s.Changed += p.Changed
		s.Same += p.Same
		s.Joined += p.Joined
		s.Unassigned += p.Unassigned
		s.Older += p.Older
		s.Imports = append(s.Imports, p)
	}
	return s
}

// preview shows the calls of each part. For a recording of SIP messages it shows the format alone,
// because only an import makes calls of them.
func (a *autoImport) preview(ctx context.Context) error {
	if err := a.checkPreview(); err != nil {
		return err
	}
	if err := a.tell(ctx); err != nil {
		return err
	}
	for _, part := range a.parts {
		if slices.Contains(source.Recordings(), part.format) {
			for _, name := range part.files {
				fmt.Fprintf(a.stderr, "%s: %s, SIP messages: of which calls they are is told when they are imported\n", name, part.format)
			}
			continue
		}
		if err := a.take(part, func() (error, error) { return part.showFiles(ctx) }); err != nil {
			return err
		}
	}
	return a.shown(a.broken)
}

// tell finds out the formats of the files, and makes the parts of them, in the order of the
// formats. It rejects a file of no known format as a whole.
func (a *autoImport) tell(ctx context.Context) error {
	if err := a.autoMap(); err != nil {
		return err
	}
	p := *a.program // the parts must read the bytes that tell has peeked at
	p.stdin = bufio.NewReaderSize(p.stdin, lookedInto)
	a.program = &p
	for _, name := range a.files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		all, err := a.tellFile(name)
		if a.sort(name, all) {
			// If an archive breaks off, its import reports that.
			if err := a.leave(name, all); err != nil {
				return err
			}
			continue
		}
		if errors.Is(err, errNotOpened) {
			a.broken = errors.Join(a.broken, err)
			a.done = append(a.done, fileSummary{Name: name, Error: call.Words(err)})
			continue
		}
		if err = a.refusal(name, all, err); err == nil {
			a.finished(fileSummary{Name: name, Read: -a.read, Rejected: -a.rejected}, nil)
			continue
		}
		file := fileSummary{Name: name, Read: -a.read, Rejected: -a.rejected}
		if err := a.reject(name, &call.SyntaxError{Err: err}); err != nil {
			return err
		}
		a.broken = errors.Join(a.broken, fmt.Errorf("%s: %w", name, err))
		a.finished(file, err)
	}
	order := importFormats()
	slices.SortStableFunc(a.parts, func(x, y *importer) int {
		return slices.Index(order, x.format) - slices.Index(order, y.format)
	})
	return nil
}

// autoMap reads the map of --map, for tables of no other format.
func (a *autoImport) autoMap() (err error) {
	if a.mapFile == "" {
		return nil
	}
	if a.yaml, err = a.readMap(); err != nil {
		return err
	}
	if _, err := format.Open("csv", format.Options{Map: a.yaml}); err != nil {
		return invalid(err)
	}
	return nil
}

// tellFile finds out the formats in a file.
func (a *autoImport) tellFile(name string) ([]format.Told, error) {
	if name == "-" {
		return a.tellInput()
	}
	r, done, err := a.openFile(name)
	if err != nil {
		return nil, err
	}
	defer done()
	return format.Tell(r, a.yaml, source.LooksRecorded)
}

// lookedInto is how many bytes of standard input tell examines.
const lookedInto = 256 << 10

// tellInput finds out the format of standard input from its beginning, which it leaves to be read
// again.
func (a *autoImport) tellInput() ([]format.Told, error) {
	head, err := a.stdin.(*bufio.Reader).Peek(lookedInto)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return nil, fmt.Errorf("%w: a zip on standard input cannot be looked into before it is read: name it as a file, or say its format", call.ErrInvalid)
	}
	return format.Tell(bytes.NewReader(head), a.yaml, source.LooksRecorded)
}

// sort adds a file to the parts of all formats in it, and reports whether there is one.
func (a *autoImport) sort(name string, all []format.Told) (known bool) {
	for _, is := range all {
		if is.Kind.Name == "" {
			continue
		}
		known = true
		part := a.part(is.Kind)
		if !slices.Contains(part.files, name) {
			part.files = append(part.files, name)
		}
		if part.members[name] == nil {
			part.members[name] = make(map[string]bool)
		}
		part.members[name][is.Name] = true
	}
	return known
}

// leave rejects the members of no known format of an archive that also has known ones. It only
// mentions a workbook's sheets without calls, which are usual.
func (a *autoImport) leave(name string, all []format.Told) error {
	for _, is := range all {
		switch {
		case is.Why == nil, path.Base(is.Name) == "parameters.json": // parameters.json is part of the admin centre's export
		case is.Sheet:
			fmt.Fprintf(a.stderr, "%s: %s was left out: %s\n", name, is.Name, call.Words(is.Why))
		default:
			err := fmt.Errorf("%s: %w", is.Name, is.Why)
			if err := a.reject(name, &call.SyntaxError{Err: err}); err != nil {
				return err
			}
			a.broken = errors.Join(a.broken, fmt.Errorf("%s: %w", name, err))
		}
	}
	return nil
}

// part returns the part for a kind, and makes it if there is none.
func (a *autoImport) part(k format.Kind) *importer {
	for _, part := range a.parts {
		if part.format == k.Name && part.readyMap == k.Map {
			return part
		}
	}
	part := a.importer // with the flags of the command
	part.format, part.readyMap, part.told = k.Name, k.Map, true
	part.files, part.done, part.read, part.rejected = nil, nil, 0, 0
	part.members = make(map[string]map[string]bool)
	a.parts = append(a.parts, &part)
	if k.Map != "" {
		fmt.Fprintf(a.stderr, "tables were found that the map %s fits, which comes with trunklog: %s\n", k.Map, readyWarning(k.Map))
	}
	return &part
}

// refusal returns why a file is of no part; nil if it is empty.
func (a *autoImport) refusal(name string, all []format.Told, err error) error {
	var why []error
	for _, is := range all {
		switch {
		case is.Why == nil:
		case is.Name == "" || len(all) == 1:
			return is.Why
		default:
			why = append(why, fmt.Errorf("%s: %w", is.Name, is.Why))
		}
	}
	const most = 10
	switch {
	case err != nil:
		return err
	case len(why) == 0:
		return nil
	case len(why) > most:
		why = append(why[:most], fmt.Errorf("and %d more", len(why)-most))
	}
	return fmt.Errorf("%w: nothing in it is of a format that is known here: %w", call.ErrInvalid, errors.Join(why...))
}

// sayFile prints the format and the counts of a file.
func (in *importer) sayFile(f *fileSummary) {
	one, many := "record", "records"
	if in.recording {
		one, many = "SIP message", "SIP messages"
	}
	text := fmt.Sprintf("%s: %s, %s", f.Name, f.Format, count(f.Read, one, many))
	if f.Rejected > 0 {
		text += fmt.Sprintf(", %d rejected", f.Rejected)
	}
	fmt.Fprintln(in.stderr, text)
}
