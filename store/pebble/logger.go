package pebble

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/redact"
)

// A logger receives Pebble's messages. It must not end the process: it makes a [fault] of a fatal
// message. It removes parts that may come from rows.
type logger struct {
	log   *slog.Logger
	fault *fault
	now   func() time.Time

	mu   sync.Mutex
	last map[string]time.Time // when each text was logged
}

// everyMinute reports whether the text is due: Pebble repeats failed background work at once, and
// its errors would fill the log.
func (l *logger) everyMinute(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if t, ok := l.last[text]; ok && now.Sub(t) < time.Minute {
		return false
	}
	if len(l.last) > 100 {
		clear(l.last)
	}
	l.last[text] = now
	return true
}

// Infof implements [pebble.Logger]. Pebble's messages about normal work are in its own files and in
// [Store.Stats].
func (l *logger) Infof(string, ...any) {}

// Eventf implements [pebble.LoggerAndTracer].
func (l *logger) Eventf(context.Context, string, ...any) {}

// IsTracingEnabled implements [pebble.LoggerAndTracer].
func (l *logger) IsTracingEnabled(context.Context) bool { return false }

// Errorf implements [pebble.Logger].
func (l *logger) Errorf(format string, args ...any) {
	if text := safef(format, args...); l.everyMinute(text) {
		l.log.Error("storage engine", "err", text)
	}
}

// Fatalf implements [pebble.Logger]. It returns: where the disk is concerned, its caller in Pebble
// also returns the error.
func (l *logger) Fatalf(format string, args ...any) {
	cause := &plain{text: safef(format, args...)}
	for _, a := range args {
		if err, ok := a.(error); ok {
			cause.err = err
		}
	}
	_ = l.fault.set(cause)
}

func safef(format string, args ...any) string {
	return redact.Sprintf(format, args...).Redact().StripMarkers()
}

// events returns the functions that Pebble calls on events.
func (l *logger) events(background func(error)) *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			background(err)
			if text := plainText(err); l.everyMinute(text) {
				l.log.Error("work in the background failed and will be tried again", "err", text)
			}
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			if l.everyMinute(info.Path) {
				l.log.Error("damaged file", "file", info.Path, "err", withoutMarks(plainText(info.Details)))
			}
		},
	}
}
