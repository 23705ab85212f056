package pebble

import "sync"

// Troubles report failures of Pebble's background work to callers that wait for it. Pebble itself
// tries again for ever and reports nothing to them.
type troubles struct {
	mu       sync.Mutex
	watchers map[chan error]bool
}

// note is called with every error of background work.
func (t *troubles) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for w := range t.watchers {
		select {
		case w <- err:
		default: // the watcher has an error already
		}
	}
}

// watch returns a channel with the next error, and a function that ends the watch.
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
