package auth

import (
	"errors"
	"testing"
	"time"

	"github.com/trunklog/trunklog/refuse"
)

// TestStill ends the grounds on which the server accepted a request, after it did so. An expired
// token does not count.
func TestStill(t *testing.T) {
	for what, c := range map[string]struct {
		do   func(w *world, c Client) error
		want int
	}{
		"nothing": {func(*world, Client) error { return nil }, 200},
		"expired": {func(w *world, _ Client) error { w.clock.Add(2 * time.Hour); return nil }, 200},
		"rotated": {func(w *world, c Client) error {
			_, _, err := w.RotateSecret(w.Context(), contoso, c.ID, RotateOptions{})
			return err
		}, 200},
		"deleted":  {func(w *world, c Client) error { return w.DeleteClient(w.Context(), contoso, c.ID) }, 401},
		"disabled": {func(w *world, c Client) error { _, err := w.Disable(w.Context(), contoso, c.ID); return err }, 401},
		"leaked": {func(w *world, c Client) error {
			_, _, err := w.RotateSecret(w.Context(), contoso, c.ID, RotateOptions{Leaked: true})
			return err
		}, 401},
		"removed": {func(w *world, c Client) error {
			_, err := w.RemoveKey(w.Context(), contoso, c.ID, c.Secrets[0].ID)
			return err
		}, 401},
		"role": {func(w *world, c Client) error {
			_, err := w.ChangeRoles(w.Context(), contoso, c.ID, []string{RoleRead}, []string{RoleIngest})
			return err
		}, 403},
		"tenant": {func(w *world, c Client) error { w.x.remove(c.Tenant); return nil }, 401},
		"keys":   {func(w *world, _ Client) error { return w.ReplaceKeys(w.Context()) }, 401},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Alg = "ES256" })
			client, token := w.token(contoso, RoleIngest)
			id, e := verifyOn(t, w.Authority, withToken(token), RoleIngest)
			if e != nil {
				t.Fatal(e)
			}
			if err := c.do(w, client); err != nil {
				t.Fatal(err)
			}
			var refused *refuse.Error
			if err := w.Still(t.Context(), id, RoleIngest); err != nil && !errors.As(err, &refused) {
				t.Fatal(err)
			}
			if status(refused) != c.want {
				t.Errorf("status %d (%v), want %d", status(refused), refused, c.want)
			}
		})
	}
	s := newSTS(t)
	w := entraWorld(t, s)
	id, e := verifyOn(t, w.Authority, withToken(s.token("k1", s.v2())), RoleRead)
	if e != nil || w.Still(t.Context(), id, RoleRead) != nil {
		t.Errorf("of Entra: %v", e)
	}
	if err := w.Still(t.Context(), id, RoleIngest); err == nil {
		t.Error("of Entra, without the role")
	}
	w.x.remove(contoso)
	if err := w.Still(t.Context(), id, RoleRead); err == nil {
		t.Error("of Entra, of a tenant that is gone")
	}
}

// TestStillWithoutKey ends the life of the key that signed the token of a request under way. The
// request goes on when the key has only grown old, and ends when the operator replaced the keys,
// before or after.
func TestStillWithoutKey(t *testing.T) {
	replace := func(w *world) error { return w.ReplaceKeys(w.Context()) }
	elsewhere := func(w *world) error { return w.another().ReplaceKeys(w.Context()) }
	round := func(w *world) error { return w.round(w.Context()) }
	wait := func(d time.Duration) func(*world) error {
		return func(w *world) error { w.clock.Add(d); return nil }
	}
	gone := wait(TokenLife + Skew + time.Second)
	for what, c := range map[string]struct {
		steps []func(*world) error
		want  int
	}{
		"retired":                        {[]func(*world) error{gone, round}, 200},
		"retired, no round yet":          {[]func(*world) error{gone}, 200},
		"retired, a round elsewhere":     {[]func(*world) error{gone, func(w *world) error { return w.another().round(w.Context()) }}, 200},
		"retired long ago":               {[]func(*world) error{gone, round, wait(365 * 24 * time.Hour), round}, 200},
		"replaced":                       {[]func(*world) error{replace}, 401},
		"replaced, then old":             {[]func(*world) error{replace, gone, round}, 401},
		"replaced before it was retired": {[]func(*world) error{wait(time.Hour), replace, gone, round}, 401},
		"replaced after it was retired":  {[]func(*world) error{gone, round, replace}, 401},
		"replaced elsewhere":             {[]func(*world) error{elsewhere, gone}, 401},
		"replaced, the clock set back":   {[]func(*world) error{gone, replace, wait(-2 * time.Hour)}, 401},
		"the keys were deleted":          {[]func(*world) error{func(w *world) error { delete(w.kv.m, nameKeys); w.Changed(nameKeys); return nil }, round}, 401},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Alg = "ES256" })
			client, s := w.create(contoso, ClientOptions{Expiry: -1})
			w.clock.Add(90*24*time.Hour - time.Second)
			id, e := verifyOn(t, w.Authority, withToken(w.mint(client, s)), RoleRead)
			if e != nil {
				t.Fatal(e)
			}
			for _, step := range c.steps {
				if err := step(w); err != nil {
					t.Fatal(err)
				}
			}
			var refused *refuse.Error
			if err := w.Still(t.Context(), id, RoleRead); err != nil && !errors.As(err, &refused) {
				t.Fatal(err)
			}
			if status(refused) != c.want {
				t.Errorf("status %d (%v), want %d", status(refused), refused, c.want)
			}
		})
	}
}
