package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store"
)

// childMark is the first argument of this program when it is to play a role in
// a measurement rather than to measure.
const childMark = "-as"

// A role answers a question, both in JSON.
type role func(ctx context.Context, question []byte) (answer any, err error)

// roles returns what this program can be in a process of its own.
func roles() map[string]role {
	return map[string]role{
		"static": playing(serveStatic),
		"fill":   playing(fill),
		"events": playing(sendEvents),
		"lookup": playing(lookUp),
		"groups": playing(addUp),
		"moves":  playing(move),
		"tidy":   playing(tidy),
		"fold":   playing(fold),
		"abuse":  playing(abuseNow),
	}
}

// playing makes a role of a function.
func playing[Q, A any](f func(ctx context.Context, q Q) (A, error)) role {
	return func(ctx context.Context, question []byte) (any, error) {
		var q Q
		if err := json.Unmarshal(question, &q); err != nil {
			return nil, err
		}
		return f(ctx, q)
	}
}

// play plays the role that the arguments ask for, if they do.
func play(args []string) (played bool, code int) {
	if len(args) != 3 || args[1] != childMark {
		return false, 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := playRole(ctx, args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return true, 1
	}
	return true, 0
}

func playRole(ctx context.Context, name string) error {
	r, ok := roles()[name]
	if !ok {
		return fmt.Errorf("there is no role %q", name)
	}
	question, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	answer, err := r(ctx, question)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

// withStore opens a store, lets f use it and closes it.
func withStore(ctx context.Context, name string, f func(call.Store) error) (err error) {
	st, err := store.Open(ctx, name, store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return f(st)
}

// ahead yields what all yields, which is made meanwhile, up to some in advance.
func ahead[T any](ctx context.Context, all iter.Seq2[T, error]) iter.Seq2[T, error] {
	type made struct {
		thing T
		err   error
	}
	return func(yield func(T, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		next := make(chan made, 4)
		var maker sync.WaitGroup
		defer maker.Wait()
		defer stop()
		maker.Go(func() {
			defer close(next)
			for thing, err := range all {
				select {
				case next <- made{thing, err}:
				case <-ctx.Done():
					return
				}
			}
		})
		for m := range next {
			if !yield(m.thing, m.err) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			var none T
			yield(none, err)
		}
	}
}
