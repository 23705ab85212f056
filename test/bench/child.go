package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// childMark is the first argument of this program when it is to play a role in
// a measurement rather than to measure.
const childMark = "-as"

// A role reads a question and writes an answer, both in JSON.
type role func(ctx context.Context, question []byte, out io.Writer) error

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
func playing[Q any](f func(ctx context.Context, q Q, out *json.Encoder) error) role {
	return func(ctx context.Context, question []byte, out io.Writer) error {
		var q Q
		if err := json.Unmarshal(question, &q); err != nil {
			return err
		}
		return f(ctx, q, json.NewEncoder(out))
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
	return r(ctx, question, os.Stdout)
}
