package auth

import (
	"log/slog"
	"time"
)

// Check returns the error that [New] would return for c, or nil.
func (c EntraConfig) Check() error {
	_, err := newEntra(c, time.Now, slog.New(slog.DiscardHandler), &counters{})
	return err
}
