package auth

import (
	"fmt"
	"testing"
	"time"
)

// set sets the clock, forwards or back.
func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// TestReplayAfterClockSetBack shows that a used assertion that the server has forgotten stays used
// when the operator sets the clock back into its life, after a restart too. The server accepts new
// assertions all the time.
func TestReplayAfterClockSetBack(t *testing.T) {
	w := newWorld(t)
	p := newProver(w, attackerKey())
	if rec := ask(w.Authority, p.form()); rec.Code != 200 {
		t.Fatal(rec.Body)
	}
	w.clock.Add(time.Hour)
	if err := w.round(t.Context()); err != nil || w.kv.names(prefixJTI) != 0 {
		t.Fatalf("%d are remembered, %v", w.kv.names(prefixJTI), err)
	}
	w.clock.set(testStart.Add(time.Second))
	for name, a := range map[string]*Authority{"the same process": w.Authority, "after a restart": w.another()} {
		if rec := ask(a, p.form()); rec.Code != 401 || a.Stats().Replayed != 1 {
			t.Errorf("%s: %s", name, rec.Body)
		}
	}
	now := testStart.Add(2 * time.Second).Unix()
	fresh := p.claim("jti", `"fresh"`).claim("nbf", num(now)).claim("exp", num(now+600))
	if rec := ask(w.Authority, fresh.form()); rec.Code != 200 {
		t.Errorf("a new one: %s", rec.Body)
	}
	other := newProver(w, attackerKey())
	if rec := ask(w.Authority, other.form()); rec.Code != 200 {
		t.Errorf("one of another client: %s", rec.Body)
	}
}

// TestReplaysCostNothing shows that a thief who replays an assertion does not use up its client's
// rate.
func TestReplaysCostNothing(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.TokenRate = TokenRate{PerClient: Rate{3, time.Minute}, Failures: Rate{Requests: -1}}
	})
	p := newProver(w, attackerKey())
	if rec := ask(w.Authority, p.form()); rec.Code != 200 {
		t.Fatal(rec.Body)
	}
	for range 10 {
		if rec := ask(w.Authority, p.form()); rec.Code != 401 {
			t.Fatal(rec.Body)
		}
	}
	for i := range 2 {
		if rec := ask(w.Authority, p.claim("jti", quote(fmt.Sprint("again ", i))).form()); rec.Code != 200 {
			t.Errorf("a good one: %s", rec.Body)
		}
	}
}

// TestRevocationAndTheClock shows that void tokens stay void whatever the clock does, and that a
// new token is valid at once.
func TestRevocationAndTheClock(t *testing.T) {
	for name, move := range map[string]time.Duration{
		"the same second": 0, "half a second": time.Second / 2, "set back an hour": -time.Hour, "set back a year": -365 * 24 * time.Hour, "a minute": time.Minute,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Alg = "ES256" })
			c, s := w.create(contoso, ClientOptions{})
			check := func(what, token string, want int) {
				t.Helper()
				if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); status(e) != want {
					t.Errorf("%s: %v, want %d", what, e, want)
				}
			}
			var old []string
			for i := range 3 {
				old = append(old, w.mint(c, s))
				check("before", old[i], 200)
				w.clock.Add(move)
				var err error
				if _, s, err = w.RotateSecret(t.Context(), contoso, c.ID, RotateOptions{Leaked: true}); err != nil {
					t.Fatal(err)
				}
				for n, token := range old {
					check(fmt.Sprintf("token %d after revocation %d", n, i), token, 401)
				}
				check("a new one", w.mint(c, s), 200)
			}
			if _, err := w.Disable(t.Context(), contoso, c.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Enable(t.Context(), contoso, c.ID); err != nil {
				t.Fatal(err)
			}
			for n, token := range old {
				check(fmt.Sprintf("token %d, disabled and enabled", n), token, 401)
			}
			check("a new one after that", w.mint(c, s), 200)
		})
	}
}

// TestRevokedBefore shows that Since decides about the tokens of a client that a version without
// epochs has revoked.
func TestRevokedBefore(t *testing.T) {
	w := newWorld(t)
	c, s := w.create(contoso, ClientOptions{})
	old := w.mint(c, s)
	stored, raw, err := w.loadClient(t.Context(), contoso, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	stored.Since = testStart.Unix()
	if err := w.saveClient(t.Context(), stored, raw); err != nil {
		t.Fatal(err)
	}
	if _, e := verifyOn(t, w.Authority, withToken(old), RoleRead); status(e) != 401 {
		t.Errorf("the old token: %v", e)
	}
	if _, e := verifyOn(t, w.Authority, withToken(w.mint(c, s)), RoleRead); e != nil {
		t.Errorf("a new one: %v", e)
	}
}
