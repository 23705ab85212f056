package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"time"
)

// TestSeen shows that the cache keeps valid tokens and no others, and that the server judges a
// cached token anew.
func TestSeen(t *testing.T) {
	s := newSTS(t)
	w := entraWorld(t, s)
	_, own := w.token(contoso)
	long := testStart.Unix() + 7*86400
	entra := s.token("k1", s.v2().with("exp", num(long)))
	for i, token := range []string{own, entra} {
		for range 2 {
			if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); e != nil {
				t.Fatal(e)
			}
			if got := len(w.seen.tokens); got != i+1 {
				t.Fatalf("%d tokens are remembered instead of %d", got, i+1)
			}
		}
	}
	f := newForger(w.Authority, own)
	bad := map[string]string{"signature": own[:len(own)-4] + "AAAA", "claims": f.claim("ver", `"1.0"`), "audience": f.claim("aud", `"x"`), "Entra": entra[:len(entra)-4] + "AAAA"}
	for name, token := range bad {
		if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); status(e) != 401 || len(w.seen.tokens) != 2 {
			t.Errorf("%s: %v, %d are remembered", name, e, len(w.seen.tokens))
		}
	}
	// Entra replaces the key, and the new one has the same id.
	s.set(func(s *sts) { s.keys["k1"] = strangerKey() })
	w.clock.Add(jwksFresh)
	if _, e := verifyOn(t, w.Authority, withToken(entra), RoleRead); status(e) != 401 {
		t.Errorf("the key of Entra was exchanged: %v", e)
	}
	if _, e := verifyOn(t, w.Authority, withToken(own), RoleRead); status(e) != 401 || e.Message != msgExpired {
		t.Errorf("it has expired: %v", e)
	}
}

func TestSeenIsBounded(t *testing.T) {
	s := newSeen()
	keep := func(i int, until int64) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(i))
		s.keep(sha256.Sum256(b[:]), &checked{until: until}, time.Unix(1000, 0))
	}
	for i := range maxSeen {
		keep(i, int64(999+i%2))
	}
	if len(s.tokens) != maxSeen {
		t.Fatalf("%d are remembered", len(s.tokens))
	}
	keep(maxSeen, 2000)
	if len(s.tokens) != maxSeen/2+1 {
		t.Errorf("%d are left when those that have expired are gone", len(s.tokens))
	}
	for i := range maxSeen {
		keep(maxSeen+i, 2000)
	}
	if len(s.tokens) > maxSeen {
		t.Errorf("%d are remembered", len(s.tokens))
	}
}
