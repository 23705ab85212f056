package auth

import (
	"log/slog"
	"time"
)

// Check reports what is wrong with c, as [New] would.
func (c EntraConfig) Check() error {
	_, err := newEntra(c, time.Now, slog.New(slog.DiscardHandler), &counters{})
	return err
}
