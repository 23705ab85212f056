// Package store is the table of storage engines: it opens the one that a specification names.
//
// It knows the names of the engines and their parameters, and nothing of rows.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/pebble"
)

// Options are the options of every engine. The zero value is usable.
type Options struct {
	// Log receives what an operator should know; nil is no log.
	Log *slog.Logger
	// Fatal is called once when the store has failed in a way that only a new start can mend. It
	// must not call the store; it is for ending the process.
	Fatal func(error)
	// CacheBytes is how much memory the embedded engine may use for blocks that it has read; 0 is
	// its default.
	CacheBytes int64
	// ReadOnly opens an existing store and changes nothing.
	ReadOnly bool
	// Existing opens only an existing store; without one the error is [call.ErrNotFound].
	Existing bool
	// Upgrade allows the upgrade of a store of an older format, and receives its progress; if it
	// returns an error, the upgrade stops and goes on the next time. Without it, and without
	// AsItIs, the error is [call.ErrOld].
	Upgrade func(done, total int64) error
	// AsItIs opens a store of an older format without upgrading it, for a copy.
	AsItIs bool
	// Bulk is for one command that writes much and reads little before it closes the store: an
	// engine may leave its tidying to the next opening.
	Bulk bool
}

// Open opens the store of spec:
//
//	pebble:DIR   the embedded engine, in the folder DIR
//
// It creates one if there is none, unless o says otherwise.
//
// The errors of an unknown engine and of an unknown parameter wrap [call.ErrInvalid] and list the
// known ones; for the others see the engine.
func Open(ctx context.Context, spec string, o Options) (call.Store, error) {
	scheme, rest, ok := strings.Cut(spec, ":")
	if !ok {
		return nil, fmt.Errorf("store %q: %w: it does not begin with an engine and a colon; known is pebble:DIR", spec, call.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("store %s: %w", scheme, err)
	}
	switch scheme {
	case "pebble":
		dir, err := folder(rest)
		if err != nil {
			return nil, fmt.Errorf("store %q: %w", spec, err)
		}
		if o.Existing && empty(dir) {
			return nil, fmt.Errorf("store %q: %w", spec, call.ErrNotFound)
		}
		return open(pebble.Open(dir, pebble.Options{Log: o.Log, Fatal: o.Fatal, CacheBytes: o.CacheBytes, ReadOnly: o.ReadOnly, Upgrade: o.Upgrade, AsItIs: o.AsItIs, Bulk: o.Bulk}))
	}
	// The rest may be a URL with a password.
	return nil, fmt.Errorf("store: %w: there is no engine %q; known is pebble:DIR", call.ErrInvalid, scheme)
}

// open keeps a nil engine from becoming a store that is not nil.
func open[S call.Store](s S, err error) (call.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// empty reports whether the folder is missing, or holds only files that trunklog writes before it
// creates a store there. The engine judges any other contents, which may be a damaged store.
func empty(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	for _, e := range entries {
		if name := e.Name(); name != "LOCK" && name != "owner" && name != "owner.new" {
			return false
		}
	}
	return true
}

// folder reads DIR, which may also be the path of a URL.
func folder(rest string) (string, error) {
	dir, query, has := strings.Cut(rest, "?")
	if has {
		params, err := url.ParseQuery(query)
		if err != nil {
			return "", fmt.Errorf("%w: %w", call.ErrInvalid, err)
		}
		for name := range params {
			return "", fmt.Errorf("%w: there is no parameter %q; pebble has none", call.ErrInvalid, name)
		}
	}
	dir = strings.TrimPrefix(dir, "//")
	if dir == "" {
		return "", fmt.Errorf("%w: the folder is missing; write pebble:DIR", call.ErrInvalid)
	}
	return dir, nil
}
