package pebble

import "sync"

// Troubles tell those who wait for Pebble's work in the background that some of
// it has failed. Pebble tries again for ever and tells them nothing.
type troubles struct {
	mu       sync.Mutex
	watchers map[chan error]bool
}

// note is called with every error of work in the background.
func (t *troubles) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for w := range t.watchers {
		select {
		case w <- err:
		default: // it knows of one already
		}
	}
}

// watch returns what gives the next error, and what ends the watching.
func (t *troubles) watch() (next <-chan error, forget func()) {
	w := make(chan error, 1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watchers == nil {
		t.watchers = map[chan error]bool{}
	}
	t.watchers[w] = true
	return w, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watchers, w)
	}
}
