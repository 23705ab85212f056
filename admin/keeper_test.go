package admin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// A kept store is a keeper that notes what it is asked to do.
type kept struct {
	*storetest.Model
	mu    sync.Mutex
	asked []string
	err   error
}

func (k *kept) note(format string, a ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, fmt.Sprintf(format, a...))
}

var stats = call.Stats{
	Engine: "model", Format: 3, Rows: 1 << 40, Bytes: -1,
	Per: []call.TenantStats{
		{},
		{Tenant: call.GUID{1}, Rows: 7, Oldest: time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC), Newest: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
	},
}

func (k *kept) Check(_ context.Context, report func(string)) error {
	for i := range 3 {
		report(fmt.Sprintf("problem %d %s", i, strings.Repeat("é", i*100_000)))
	}
	return k.err
}

func (k *kept) Stats(context.Context) (call.Stats, error) { return stats, k.err }

func (k *kept) Backup(_ context.Context, dir string) error {
	k.note("backup %s", dir)
	return k.err
}

func (k *kept) Compact(context.Context) error {
	k.note("compact")
	return k.err
}

func TestKeeper(t *testing.T) {
	inner := &kept{Model: storetest.NewModel()}
	s := served(t, inner)
	for _, inner.err = range []error{nil, fmt.Errorf("disk: %w", call.ErrFull)} {
		same := func(what string, err error) {
			t.Helper()
			if (err == nil) != (inner.err == nil) || err != nil && (err.Error() != inner.err.Error() || !errors.Is(err, call.ErrFull)) {
				t.Errorf("%s: %v, want %v", what, err, inner.err)
			}
		}
		var problems []string
		same("check", s.Check(t.Context(), func(p string) { problems = append(problems, p) }))
		if len(problems) != 3 || len(problems[2]) != 10+400_000 {
			t.Errorf("%d problems", len(problems))
		}
		got, err := s.Stats(t.Context())
		same("stats", err)
		if !reflect.DeepEqual(got, stats) {
			t.Errorf("stats are\n\t%+v\nwant\n\t%+v", got, stats)
		}
		same("backup", s.Backup(t.Context(), "/somewhere/else"))
		same("backup", s.Backup(t.Context(), "here"))
		same("compact", s.Compact(t.Context()))
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	once := []string{"backup /somewhere/else", "backup " + filepath.Join(wd, "here"), "compact"}
	if want := append(once, once...); !slices.Equal(inner.asked, want) {
		t.Errorf("asked for %q, want %q", inner.asked, want)
	}
}

// A problem is told when it is found, not when all is read.
func TestProblemsComeAtOnce(t *testing.T) {
	told := make(chan struct{})
	s := served(t, &waitingKeeper{told: told})
	err := s.Check(t.Context(), func(string) { close(told) })
	if err != nil {
		t.Error(err)
	}
}

// A waitingKeeper waits until its problem has arrived.
type waitingKeeper struct {
	kept
	told <-chan struct{}
}

func (k *waitingKeeper) Check(_ context.Context, report func(string)) error {
	report("a problem")
	select {
	case <-k.told:
		return nil
	case <-time.After(20 * time.Second):
		return errors.New("nobody was told of the problem")
	}
}

func TestNoKeeper(t *testing.T) {
	s := served(t, &altered{Store: storetest.NewModel()})
	_, statsErr := s.Stats(t.Context())
	for _, err := range []error{
		s.Check(t.Context(), func(string) { t.Error("a problem") }), statsErr, s.Backup(t.Context(), "x"), s.Compact(t.Context()),
	} {
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "tools of its own server") {
			t.Errorf("%v", err)
		}
	}
}

// Sixty-four clients at once: every row is there once, and nobody gets
// another's.
func TestManyClients(t *testing.T) {
	const clients, batches, each = 64, 5, 20
	srv := start(t, Handler(nodeOf(storetest.NewModel())))
	rows := storetest.Rows(3, clients*batches*each)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			s, err := Dial(t.Context(), srv.path, testVersion)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			for b := range batches {
				mine := rows[(c*batches+b)*each:][:each]
				if res, err := s.Write(t.Context(), call.Batch{Rows: mine}); err != nil || res.Counts().New != each {
					t.Errorf("write: %+v, %v", res, err)
				}
				for i := range mine {
					got, err := s.Row(t.Context(), mine[i].Tenant, mine[i].ID)
					if err != nil || !got.Equal(&mine[i]) {
						t.Errorf("row: %+v, %v", got, err)
					}
				}
				if _, err := collect(t.Context(), s, call.Query{Tenant: mine[0].Tenant, Limit: 100, Skip: int64(b)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s := srv.dial(t)
	var n int64
	for _, tenant := range storetest.Tenants() {
		m, err := s.Count(t.Context(), call.Query{Tenant: tenant})
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	if n != int64(len(rows)) {
		t.Errorf("%d rows, want %d", n, len(rows))
	}
}
