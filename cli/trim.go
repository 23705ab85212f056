package cli

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/tenant"
)

// keepsSIP reports whether the SIP messages of calls are kept.
func (s *serving) keepsSIP() bool { return keepsSIP(s.keepSIP) }

func keepsSIP(period string) bool { return period != "" && period != "off" && period != "0" }

// sipPeriod returns for how long they are. It is for ever, so that nothing is
// deleted, if none are kept: what is there was put there by an import.
func (s *serving) sipPeriod() (tenant.Period, error) { return sipPeriod(s.keepSIP) }

func sipPeriod(period string) (tenant.Period, error) {
	if !keepsSIP(period) {
		return tenant.Period{}, nil
	}
	p, err := tenant.ParsePeriod(period)
	if err != nil {
		return p, usage("--keep-sip: %w, or 'off'", err)
	}
	return p, nil
}

// trimMessages deletes the SIP messages that need not be kept any longer, day
// by day, until ctx is done.
func trimMessages(ctx context.Context, st call.Store, keep tenant.Period, now func() time.Time, log *slog.Logger) error {
	if keep.Forever() {
		return nil
	}
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		// A round that failed is made up for by the next one.
		if err := st.TrimMessages(ctx, keep.Before(now())); err != nil && ctx.Err() == nil {
			log.Error("deleting old SIP messages failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// keepRejects is for how long the rejects files of imports are kept: there are
// telephone numbers in them, and whoever wants to mend a record does it soon.
const keepRejects = 30 * 24 * time.Hour

// trimRejects deletes the rejects files that are too old until ctx is done.
func trimRejects(ctx context.Context, folder *os.Root, now func() time.Time, log *slog.Logger) error {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		switch n, err := deleteRejects(folder, now()); {
		case err != nil:
			log.Error("deleting old rejects files failed", "err", err)
		case n > 0:
			log.Info("deleted old rejects files", "files", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// deleteRejects deletes the files that imports have made in the folder of rejects
// and that are older than they are kept. All else in it is left alone.
func deleteRejects(folder *os.Root, now time.Time) (n int, err error) {
	dir, err := folder.Open(rejectsName)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	entries, err := dir.ReadDir(-1)
	err = errors.Join(err, dir.Close())
	for _, e := range entries {
		info, infoErr := e.Info()
		if infoErr != nil || !info.Mode().IsRegular() || now.Sub(info.ModTime()) < keepRejects ||
			!strings.HasPrefix(e.Name(), "import-") || filepath.Ext(e.Name()) != ".jsonl" {
			continue
		}
		if removed := folder.Remove(filepath.Join(rejectsName, e.Name())); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
			continue
		}
		n++
	}
	return n, err
}
