package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/trunklog/trunklog/call"
)

// counting yields the numbers from 1 to n, the last with an error.
func counting(n int, last error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := 1; i < n; i++ {
			if !yield(i, nil) {
				return
			}
		}
		yield(n, last)
	}
}

// What is made ahead comes in its order, with its errors, and is made no more when
// nobody wants it.
func TestAhead(t *testing.T) {
	bad := errors.New("bad")
	got, sum := error(nil), 0
	for n, err := range ahead(t.Context(), counting(100, bad)) {
		if sum += n; err != nil {
			got = err
		}
	}
	if sum != 5050 || !errors.Is(got, bad) {
		t.Errorf("the sum is %d, %v", sum, got)
	}
	for range ahead(t.Context(), counting(100, nil)) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for n, err := range ahead(ctx, counting(1000, nil)) {
		if got = err; n == 1 {
			cancel()
		}
	}
	if !errors.Is(got, context.Canceled) {
		t.Errorf("given up: %v", got)
	}
}

func TestBatchesOf(t *testing.T) {
	bad := errors.New("bad")
	for _, c := range []struct {
		n    int
		last error
		want string
	}{{5, nil, "[2 2 1] <nil>"}, {4, nil, "[2 2 0] <nil>"}, {3, bad, "[2 1] bad"}} {
		var got []int
		var last error
		for batch, err := range batchesOf(events(c.n, c.last), 2) {
			got, last = append(got, len(batch)), err
		}
		if text := fmt.Sprintf("%v %v", got, last); text != c.want {
			t.Errorf("%d events: %s, want %s", c.n, text, c.want)
		}
	}
}

func events(n int, last error) iter.Seq2[call.Event, error] {
	return func(yield func(call.Event, error) bool) {
		for _, err := range counting(n, last) {
			if !yield(call.Event{}, err) {
				return
			}
		}
	}
}
