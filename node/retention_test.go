package node

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
	"github.com/trunklog/trunklog/tenant"
)

// TestTrimMessages: a message goes when the day of its sighting has been over for the period. The
// log has a failure, and a later look makes up for it.
func TestTrimMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := storetest.NewModel()
		leg := call.Leg{ID: call.GUID{1}, From: time.Now().AddDate(0, 0, -9), To: time.Now()}
		var b call.Batch
		for day := range 6 {
			b.Messages = append(b.Messages, call.Message{Leg: leg.ID, At: time.Now().AddDate(0, 0, -day), Raw: []byte("x")})
		}
		if _, err := m.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		keep, err := tenant.ParsePeriod("3d")
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		done := make(chan error, 1)
		go func() { done <- trimMessages(ctx, m, keep, time.Now, slog.New(slog.NewTextHandler(&log, nil))) }()
		left := func(want int) {
			t.Helper()
			synctest.Wait()
			n := 0
			for _, err := range m.Messages(t.Context(), leg) {
				if n++; err != nil {
					t.Fatal(err)
				}
			}
			if n != want {
				t.Errorf("%d messages at %v, want %d", n, time.Now(), want)
			}
		}
		left(4) // of today, and of three whole days
		time.Sleep(24 * time.Hour)
		left(3)
		m.FailWrites(call.ErrFull)
		time.Sleep(24 * time.Hour)
		left(3)
		if !strings.Contains(log.String(), "no space left") {
			t.Errorf("the log says %q", &log)
		}
		m.FailWrites(nil)
		time.Sleep(time.Hour)
		left(2)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
