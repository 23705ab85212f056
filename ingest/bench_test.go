package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format"
)

// A nullStore has no rows and keeps none, so that it costs nothing.
type nullStore struct {
	call.Store
	linking bool
}

func (s nullStore) Rows(context.Context, call.Query) iter.Seq2[*call.Row, error] {
	return func(func(*call.Row, error) bool) {}
}

func (s nullStore) Row(context.Context, call.GUID, call.GUID) (call.Row, error) {
	return call.Row{}, call.ErrNotFound
}
func (s nullStore) Count(context.Context, call.Query) (int64, error) { return 0, nil }
func (s nullStore) Groups(context.Context, call.Query, call.Grouping) iter.Seq2[*call.Group, error] {
	return func(func(*call.Group, error) bool) {}
}

func (s nullStore) Write(_ context.Context, b call.Batch) (call.Result, error) {
	res := call.Result{Rows: make([]call.Written, len(b.Rows))}
	for i := range b.Rows {
		res.Rows[i] = call.Written{Place: b.Rows[i].Cursor(), Fate: call.New}
	}
	return res, nil
}

func (s nullStore) Latest(context.Context, call.GUID) (call.Version, error) {
	return call.Version{Epoch: 1}, nil
}

func (s nullStore) State(_ context.Context, prefix string) iter.Seq2[call.Named, error] {
	return func(yield func(call.Named, error) bool) {
		if s.linking {
			yield(call.Named{Name: prefix, Value: []byte(noDay)}, nil)
		}
	}
}

func (s nullStore) Trim(context.Context, call.GUID, time.Time) (int64, error) { return 0, nil }
func (s nullStore) TrimMessages(context.Context, time.Time) error             { return nil }
func (s nullStore) Close() error                                              { return nil }
func (s nullStore) Legs(context.Context, call.GUID, call.Cursor) ([]call.Leg, error) {
	return nil, nil
}

func (s nullStore) Messages(context.Context, call.Leg) iter.Seq2[*call.Message, error] {
	return func(func(*call.Message, error) bool) {}
}

// BenchmarkImport measures all of an import but the engine: from a file of a million rows to
// batches of 5,000.
func BenchmarkImport(b *testing.B) {
	const rows, size = 1_000_000, 5000
	piece := sampleRows(size)
	for _, linking := range []bool{false, true} {
		b.Run(fmt.Sprintf("linking=%v", linking), func(b *testing.B) {
			decode, err := format.Open("graph", format.Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				sink := New(Config{Store: nullStore{linking: linking}}).Sink("graph", tenant)
				var batch []call.Event
				for range rows / size {
					for e, err := range decode(bytes.NewReader(piece)) {
						if err = errors.Join(err, sink.Prepare(&e)); err != nil {
							b.Fatal(err)
						}
						if batch = append(batch, e); len(batch) == size {
							if err := tryPut(b.Context(), sink, batch...); err != nil {
								b.Fatal(err)
							}
							batch = batch[:0]
						}
						n++
					}
				}
				if got := sink.Totals().New; got != rows {
					b.Fatalf("%d rows", got)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// sampleRows returns n rows as JSON lines.
func sampleRows(n int) []byte {
	var b bytes.Buffer
	start := time.Date(2026, 11, 1, 0, 0, 25, 105_000_000, time.UTC)
	for i := range n {
		t := start.Add(time.Duration(i) * 613 * time.Millisecond)
		f := func(d time.Duration) string { return t.Add(d).Format("2006-01-02T15:04:05.999Z07:00") }
		fmt.Fprintf(&b, `{"id":"%s","correlationId":"%s","userId":"db03c14b-06eb-4189-939b-7cbf3a20ba27","userPrincipalName":"richard.malk@contoso.com","userDisplayName":"Richard Malk","startDateTime":"%s","inviteDateTime":"%s","failureDateTime":"0001-01-01T00:00:00Z","endDateTime":"%s","duration":5,"callType":"ByotIn","successfulCall":true,"callerNumber":"+49301234%04d","calleeNumber":"+4930567890","mediaPathLocation":"USWE","signalingLocation":"EUNO","finalSipCode":0,"callEndSubReason":540000,"finalSipCodePhrase":"BYE","trunkFullyQualifiedDomainName":"tll-audiocodes01.adatum.biz","mediaBypassEnabled":false}`+"\n",
			call.NameGUID("id", fmt.Sprint(i)), call.NameGUID("correlation", fmt.Sprint(i)), f(0), f(-3156*time.Millisecond), f(5*time.Second), i%10000)
	}
	return b.Bytes()
}
