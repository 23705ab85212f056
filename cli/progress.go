package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// A progress shows on a terminal how far an import has come. If stderr is no terminal it shows
// nothing.
type progress struct {
	bars           *mpb.Progress // nil if stderr is no terminal
	bar            *mpb.Bar
	began          time.Time
	now            func() time.Time
	written, wrong atomic.Int64
}

// newProgress begins a bar over the sizes of all files together. If one has no size, such as
// standard input, the bar has no end.
func (p *program) newProgress(files []string) *progress {
	g := &progress{began: p.now(), now: p.now}
	if !isTerminal(p.stderr) {
		return g
	}
	var total int64
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			total = 0
			break
		}
		total += info.Size()
	}
	g.bars = mpb.New(mpb.WithOutput(p.stderr), mpb.WithWidth(40))
	label := filepath.Base(files[0])
	if len(files) > 1 {
		label = fmt.Sprintf("%d files", len(files))
	}
	ending := []decor.Decorator{decor.Any(g.figures)}
	if total > 0 {
		ending = append(ending, decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO))
	}
	g.bar = g.bars.AddBar(total, mpb.PrependDecorators(decor.Name(label+" "), decor.CountersKibiByte("% .1f / % .1f")), mpb.AppendDecorators(ending...))
	return g
}

// figures returns the text behind the bar.
func (g *progress) figures(decor.Statistics) string {
	seconds := max(g.now().Sub(g.began).Seconds(), 0.001)
	return fmt.Sprintf("%.0f rows/s, %d rejected", float64(g.written.Load())/seconds, g.wrong.Load())
}

// reader returns r, and counts the bytes read from it as progress.
func (g *progress) reader(name string, r io.Reader) io.Reader {
	if g.bar == nil {
		return r
	}
	if f, ok := r.(*os.File); ok && name != "-" {
		return &countedFile{File: f, bar: g.bar}
	}
	return g.bar.ProxyReader(r)
}

// A countedFile is a file that counts the bytes read from it as progress. It is still an
// io.ReaderAt, which a zip needs.
type countedFile struct {
	*os.File
	bar *mpb.Bar
}

func (f *countedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.bar.IncrBy(n)
	return n, err
}

func (f *countedFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(b, off)
	f.bar.IncrBy(n)
	return n, err
}

func (g *progress) rows(n int) { g.written.Add(int64(n)) }
func (g *progress) reject()    { g.wrong.Add(1) }

// done ends the bar, complete or not.
func (g *progress) done() {
	if g.bars == nil {
		return
	}
	g.bar.SetTotal(-1, true)
	g.bars.Wait()
}
