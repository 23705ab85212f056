package auth

import (
	"crypto"
	"crypto/sha256"
	"sync"
	"time"
)

// A checked token has a valid signature. That remains so as long as the key is the same; the server
// judges all else of the token anew for every request.
type checked struct {
	compact
	key    crypto.PublicKey // a pointer; checkSignature compares the address
	claims object
	own    accessClaims // if this server issued the token
	signer *signKey     // likewise
	until  int64        // Unix time after which it is useless
}

// seen caches checked tokens by their SHA-256 hash. A client sends one token with all its requests
// for an hour, and the check of the signature is the most expensive part of a request. Only valid
// tokens get in, so that strangers cannot fill the cache.
type seen struct {
	mu     sync.Mutex
	tokens map[[sha256.Size]byte]*checked
}

// maxSeen limits the memory to about 10 MB with tokens of this server.
const maxSeen = 2000

func newSeen() *seen { return &seen{tokens: map[[sha256.Size]byte]*checked{}} }

// find returns the token if the cache has it, or nil.
func (s *seen) find(hash [sha256.Size]byte) *checked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[hash]
}

// keep adds t. If the cache is full, it first drops the expired tokens, and all if there are none.
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
