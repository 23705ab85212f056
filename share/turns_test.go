package share

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestTurns: a single key has all processors, one among others half of them; giving a turn back
// twice counts once.
func TestTurns(t *testing.T) {
	x := NewTurns[string](4)
	now, cancel := context.WithCancel(t.Context())
	cancel()
	take := func(key string, want bool) Turn[string] {
		t.Helper()
		turn, _, err := x.Take(now, key)
		if (err == nil) != want || err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want %v", key, err, want)
		}
		return turn
	}
	var alone []Turn[string]
	for range 4 {
		alone = append(alone, take("noisy", true))
	}
	take("noisy", false)
	first, second := take("quiet", true), take("quiet", true)
	take("quiet", false)
	for i := range alone {
		alone[i].Give()
		alone[i].Give()
	}
	third, fourth := take("noisy", true), take("noisy", true)
	take("noisy", false)
	for _, turn := range []*Turn[string]{&first, &second, &third, &fourth, {}} {
		turn.Give()
	}
	if n := x.Users("noisy") + x.Users("quiet"); n != 0 {
		t.Errorf("%d have a turn", n)
	}
	at := time.Now()
	if !x.others("noisy", at) || x.others("noisy", at.Add(company+time.Second)) {
		t.Error("the other is there for ever, or is forgotten at once")
	}
	one := NewTurns[string](1)
	for _, key := range []string{"a", "b"} {
		turn, _, err := one.Take(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		defer turn.Give()
	}
}

// TestPortions: a single key has what one may have, however much it asks for; among others it has a
// few units.
func TestPortions(t *testing.T) {
	x := NewPortions[string](40, 20, 4)
	now, cancel := context.WithCancel(t.Context())
	cancel()
	take := func(key string, n int64, want bool) Turn[string] {
		t.Helper()
		turn, _, err := x.TakeN(now, key, n)
		if (err == nil) != want {
			t.Errorf("%s, %d: %v, want %v", key, n, err, want)
		}
		return turn
	}
	first, second := take("noisy", 19, true), take("noisy", 1, true)
	take("noisy", 1, false)
	first.Give()
	second.Give()
	if x.Crowded("noisy") || !x.Crowded("quiet") {
		t.Error("who is alone is crowded, or who comes is not")
	}
	quiet := take("quiet", 1, true)
	first, second = take("noisy", 3, true), take("noisy", 1, true)
	take("noisy", 1, false)
	first.Give()
	second.Give()
	first = take("noisy", 1_000, true)
	first.Give()
	quiet.Give()
	if !x.Crowded("noisy") || x.Users("noisy")+x.Users("quiet") != 0 {
		t.Error("the other is not there, or something was not given back")
	}
}
