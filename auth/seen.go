package auth

import (
	"crypto"
	"crypto/sha256"
	"sync"
	"time"
)

// A checked token is one whose signature was found good. That never changes, as
// long as the key is the same; everything else about it is judged anew for every
// request.
type checked struct {
	compact
	key    crypto.PublicKey // a pointer, compared as such
	claims object
	own    accessClaims // if the token is ours
	until  int64        // Unix time after which it is of no more use
}

// seen remembers checked tokens by their SHA-256 hash. A client sends one token
// with all its requests for an hour, and the signature is most of what a request
// would cost. Only tokens with a good signature get in, so that strangers cannot
// fill it.
type seen struct {
	mu     sync.Mutex
	tokens map[[sha256.Size]byte]*checked
}

// maxSeen bounds the memory at about 10 MB.
const maxSeen = 2000

func newSeen() *seen { return &seen{tokens: map[[sha256.Size]byte]*checked{}} }

// find returns the token if it was checked before, nil if not.
func (s *seen) find(hash [sha256.Size]byte) *checked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[hash]
}

// keep remembers t.
func (s *seen) keep(hash [sha256.Size]byte, t *checked, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tokens) >= maxSeen {
		for h, old := range s.tokens {
			if old.until < now.Unix() {
				delete(s.tokens, h)
			}
		}
		if len(s.tokens) >= maxSeen {
			clear(s.tokens)
		}
	}
	s.tokens[hash] = t
}
