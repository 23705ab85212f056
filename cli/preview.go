package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format"
	"github.com/trunklog/trunklog/format/csv"
)

// mostPreviewed is the most rows of each end that a preview shows, because it keeps them in memory.
const mostPreviewed = 1000

// A preview keeps the oldest and the newest of the calls that were read.
type preview struct {
	most           int // rows of each end
	n              int64
	oldest, newest []call.Row // by their start
}

// add takes a call. It copies the call's texts, which may belong to the decoder.
func (p *preview) add(r *call.Row) {
	p.n++
	if len(p.oldest) < p.most || r.Start.Before(p.oldest[len(p.oldest)-1].Start) {
		p.oldest = insert(p.oldest, r)
		p.oldest = p.oldest[:min(len(p.oldest), p.most)]
	}
	if len(p.newest) < p.most || !r.Start.Before(p.newest[0].Start) {
		p.newest = insert(p.newest, r)
		p.newest = p.newest[max(0, len(p.newest)-p.most):]
	}
}

// insert adds a copy of r behind the rows that start no later.
func insert(rows []call.Row, r *call.Row) []call.Row {
	i := len(rows)
	for i > 0 && r.Start.Before(rows[i-1].Start) {
		i--
	}
	return slices.Insert(rows, i, r.Clone())
}

// tables returns the tables to print, and their titles.
func (p *preview) tables() (titles []string, tables []table) {
	if p.n == 0 {
		return nil, nil
	}
	if p.n <= int64(p.most) {
		return []string{fmt.Sprintf("all %s, the oldest first:", count(p.n, "call", "calls"))}, []table{previewTable(p.oldest)}
	}
	return []string{
		fmt.Sprintf("the oldest %d of %d calls:", len(p.oldest), p.n),
		fmt.Sprintf("the newest %d:", len(p.newest)),
	}, []table{previewTable(p.oldest), previewTable(p.newest)}
}

func previewTable(rows []call.Row) table {
	t := table{{"INVITE (UTC)", "START (UTC)", "END (UTC)", "TYPE", "CALLER", "CALLEE", "TRUNK", "SECONDS", "RESULT", "CODE"}}
	for i := range rows {
		r := &rows[i]
		when := func(f call.Field) string {
			if r.Time(f).IsZero() {
				return ""
			}
			return r.Time(f).Format("2006-01-02 15:04:05.000")
		}
		end, result := when(call.FieldEnd), "failed"
		if r.Successful {
			result = "ok"
		} else {
			end = when(call.FieldFailure)
		}
		t = append(t, []string{
			when(call.FieldInvite), when(call.FieldStart), end, string(call.CallType(r.CallType).Graph()), r.Caller, r.Callee, r.Trunk,
			strconv.Itoa(int(r.Duration)), result, fmt.Sprintf("%d/%d", r.FinalSIPCode, r.CallEndSubReason),
		})
	}
	return t
}

// show reads all files and prints the calls as an import would make them. It needs no data folder,
// and writes nothing.
func (in *importer) show(ctx context.Context) error {
	if err := in.checkPreview(); err != nil {
		return err
	}
	switch err := in.open(); {
	case err != nil:
		return err
	case in.recording:
		return usage("--preview is for files of records: %s", list(format.Names()))
	}
	broken, err := in.showFiles(ctx)
	if err != nil {
		return err
	}
	return in.shown(broken)
}

// checkPreview checks the number of calls to show, and makes the rejects file a dry one.
func (in *importer) checkPreview() error {
	if in.preview < 1 || in.preview > mostPreviewed {
		return usage("--preview %d: a number of calls from 1 to %d", in.preview, mostPreviewed)
	}
	in.rejects.dry, in.rejects.stderr = true, in.stderr
	return nil
}

// showFiles reads all files and prints the calls. broken joins the errors of single files.
func (in *importer) showFiles(ctx context.Context) (broken, err error) {
	p := &preview{most: in.preview}
	progress := in.newProgress(in.files)
	for _, name := range in.files {
		file := fileSummary{Name: name, Read: -in.read, Rejected: -in.rejected}
		err := in.readInto(ctx, p, name, progress)
		in.read = p.n
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
			broken = errors.Join(broken, err)
		}
		in.finished(file, err)
	}
	progress.done()
	titles, tables := p.tables()
	for i, title := range titles {
		if in.told {
			title = in.what() + ", " + title
		}
		fmt.Fprintln(in.stdout, title)
		if err := printTable(in.stdout, tables[i]); err != nil {
			return broken, err
		}
	}
	return broken, nil
}

// shown prints the counts of a preview, and returns the error with which it ends.
func (in *importer) shown(broken error) error {
	in.rejects.say(in.stderr)
	fmt.Fprintf(in.stderr, "preview: %s can be imported, %d cannot; nothing was written\n", count(in.read, "record", "records"), in.rejected)
	switch {
	case broken != nil && in.read == 0:
		return broken
	case broken != nil:
		return &exitError{exitPart, broken}
	case in.rejected > 0:
		return &exitError{exitPart, fmt.Errorf("%s would be rejected", count(in.rejected, "record", "records"))}
	}
	return nil
}

// readInto reads one file into a preview.
func (in *importer) readInto(ctx context.Context, p *preview, name string, progress *progress) error {
	in.reading = name
	r, done, err := in.openFile(name)
	if err != nil {
		return err
	}
	defer done()
	for e, err := range in.decode(progress.reader(name, r)) {
		var syntax *call.SyntaxError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &syntax):
			progress.reject()
			if err := in.reject(name, syntax); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			p.add(&e.Row)
			progress.rows(1)
		}
	}
	return nil
}

// readMap returns the map of the CSV: the file that --map names, or else the map of that name that
// comes with trunklog.
func (in *importer) readMap() ([]byte, error) {
	yaml, err := os.ReadFile(in.mapFile)
	switch {
	case err == nil:
		return yaml, nil
	case !errors.Is(err, os.ErrNotExist):
		return nil, usage("--map: %w", err)
	}
	if ready, ok := csv.ReadyMap(in.mapFile); ok {
		fmt.Fprintf(in.stderr, "--map %s: there is no such file; the map of that name that comes with trunklog is used. %s\n", in.mapFile, readyWarning(in.mapFile))
		return ready, nil
	}
	return nil, usage("--map: %w; the maps that come with trunklog are %s", err, list(csv.ReadyMaps()))
}

// readyWarning says what a map that comes with trunklog leaves to the operator.
func readyWarning(name string) string {
	lacks := "Its zone is UTC, and it names"
	if csv.KnowsZone(name) {
		lacks = "It names"
	}
	return fmt.Sprintf("%s no trunk: 'trunklog import csv --maps %s' prints it, to be changed", lacks, name)
}

// printMaps prints the named maps, or without names a list of all.
func (p *program) printMaps(names []string) error {
	if len(names) == 0 {
		var t table
		for _, name := range csv.ReadyMaps() {
			yaml, _ := csv.ReadyMap(name)
			what, _, _ := strings.Cut(strings.TrimPrefix(string(yaml), "# "), "\n")
			t = append(t, []string{name, what})
		}
		return printTable(p.stdout, t)
	}
	for _, name := range names {
		yaml, ok := csv.ReadyMap(name)
		if !ok {
			return usage("there is no map %q: %s are those that come with trunklog", name, list(csv.ReadyMaps()))
		}
		if _, err := p.stdout.Write(yaml); err != nil {
			return err
		}
	}
	return nil
}
