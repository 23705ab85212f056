package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunklog/trunklog/refuse"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scale multiplies the length of a loop by TRUNKLOG_SCALE, and divides it by 10 with -short.
func scale(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("TRUNKLOG_SCALE"), 64); err == nil && f > 0 {
		n = int(float64(n) * f)
	}
	if testing.Short() {
		n /= 10
	}
	return max(n, 1)
}

// A memKV is a KV in memory that a test can make fail.
type memKV struct {
	mu    sync.Mutex
	m     map[string][]byte
	loads int
	saves int
	fail  error  // error of both methods, unless nil
	under string // prefix of the names whose Load fails, unless empty
	hook  func() // called once before the next Save, without the lock
}

func newMemKV() *memKV { return &memKV{m: map[string][]byte{}} }

func (kv *memKV) Load(ctx context.Context, prefix string) (map[string][]byte, error) {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	kv.loads++
	if kv.fail != nil {
		return nil, kv.fail
	}
	if kv.under != "" && strings.HasPrefix(prefix, kv.under) {
		return nil, errors.New("a bad block")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for k, v := range kv.m {
		if strings.HasPrefix(k, prefix) {
			out[k] = bytes.Clone(v)
		}
	}
	return out, nil
}

func (kv *memKV) Save(_ context.Context, set, cond map[string][]byte) error {
	kv.mu.Lock()
	hook := kv.hook
	kv.hook = nil
	kv.mu.Unlock()
	if hook != nil {
		hook()
	}
	kv.mu.Lock()
	defer kv.mu.Unlock()
	kv.saves++
	if kv.fail != nil {
		return kv.fail
	}
	for k, v := range cond {
		if got, ok := kv.m[k]; ok != (v != nil) || !bytes.Equal(got, v) {
			return fmt.Errorf("name %s: %w", k, ErrConflict)
		}
	}
	for k, v := range set {
		if v == nil {
			delete(kv.m, k)
		} else {
			kv.m[k] = bytes.Clone(v)
		}
	}
	return nil
}

func (kv *memKV) clone() *memKV {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	return &memKV{m: maps.Clone(kv.m)}
}

func (kv *memKV) setFail(err error) {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	kv.fail = err
}

// names returns the number of names that begin with prefix.
func (kv *memKV) names(prefix string) int {
	m, _ := kv.Load(context.Background(), prefix)
	return len(m)
}

// A clock shows a time that only the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// Names and roots that all tests use.
const (
	contoso  = "c0a70501-c0de-4c0d-8c0d-c0ffee000001"
	fabrikam = "fab71ca3-fade-4fad-8fad-facade000002"
	nobody   = "99999999-9999-4999-8999-999999999999"
	testRoot = "https://calls.example.test:8443"
	aliasURL = "https://alias.example.test"
)

var (
	testKey   = bytes.Repeat([]byte{7}, 32)
	testStart = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

// random returns a source that gives the same bytes each time.
func random(seed byte) *mrand.ChaCha8 { return mrand.NewChaCha8([32]byte{seed}) }

// testKeys holds the first state of a world for each algorithm, so that a test need not make its
// own RSA keys.
var testKeys = sync.OnceValue(func() map[string]*memKV {
	out := map[string]*memKV{}
	for alg, private := range map[string][2]crypto.Signer{
		"RS256": {fixedRSA("signer")(), fixedRSA("next")()},
		"ES256": {newEC(), newEC()},
	} {
		out[alg] = newMemKV()
		c := testConfig(out[alg], nil, nil)
		c.Alg = alg
		k := must(newKeyring(c, c.Now))
		first := must(k.key(private[0], testStart, 0))
		keys := []*signKey{first, must(k.key(private[1], first.until, 0))}
		out[alg].m[nameKeys] = must(json.Marshal(stored(keys)))
	}
	return out
})

// attackerKey, strangerKey and attackerEC are keys that no client has, unless the test registers
// them.
var (
	attackerKey = fixedRSA("attacker")
	strangerKey = fixedRSA("stranger")
	attackerEC  = sync.OnceValue(newEC)
)

func newEC() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

// fixedRSA returns the RSA key of that name in testdata/primes.txt. Making RSA keys would take most
// of the time of the tests.
func fixedRSA(name string) func() *rsa.PrivateKey {
	return sync.OnceValue(func() *rsa.PrivateKey {
		for line := range strings.Lines(string(must(os.ReadFile("testdata/primes.txt")))) {
			var is, p, q string
			if n, _ := fmt.Sscan(line, &is, &p, &q); n != 3 || is != name {
				continue
			}
			k := &rsa.PrivateKey{PublicKey: rsa.PublicKey{E: 65537}, Primes: []*big.Int{fromHex(p), fromHex(q)}}
			k.N = new(big.Int).Mul(k.Primes[0], k.Primes[1])
			one := big.NewInt(1)
			phi := new(big.Int).Mul(new(big.Int).Sub(k.Primes[0], one), new(big.Int).Sub(k.Primes[1], one))
			k.D = new(big.Int).ModInverse(big.NewInt(int64(k.E)), phi)
			k.Precompute()
			return k
		}
		panic("testdata/primes.txt has no key " + name)
	})
}

func fromHex(s string) *big.Int { return new(big.Int).SetBytes(must(hex.DecodeString(s))) }

// tenants are the tenants that exist in a test.
type tenants struct {
	mu   sync.Mutex
	m    map[string]string // id by name and by id
	fail error
}

func (x *tenants) find(_ context.Context, nameOrID string) (string, bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.fail != nil {
		return "", false, x.fail
	}
	id, ok := x.m[strings.ToLower(nameOrID)]
	return id, ok, nil
}

func (x *tenants) remove(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.m, id)
}

func newTenants() *tenants {
	return &tenants{m: map[string]string{
		contoso: contoso, "contoso.example": contoso,
		fabrikam: fabrikam, "fabrikam.example": fabrikam,
	}}
}

func testConfig(kv KV, c *clock, x *tenants) Config {
	if x == nil {
		x = newTenants()
	}
	if c == nil {
		c = &clock{t: testStart}
	}
	return Config{
		KV: kv, Key: testKey, Now: c.Now, Rand: random(1), Tenant: x.find,
		Issuer: func(r *http.Request) string {
			if r != nil && r.Host == "alias.example.test" {
				return aliasURL
			}
			return testRoot
		},
		Known: func(root string) bool { return root == testRoot || root == aliasURL },
	}
}

// A world is an authority with its KV, clock, tenants and log.
type world struct {
	*testing.T
	*Authority
	kv    *memKV
	clock *clock
	x     *tenants
	conf  Config
	logs  *bytes.Buffer
}

func newWorld(t *testing.T, change ...func(*Config)) *world {
	t.Helper()
	w := &world{T: t, clock: &clock{t: testStart}, x: newTenants(), logs: new(bytes.Buffer)}
	w.conf = testConfig(nil, w.clock, w.x)
	w.conf.Log = slog.New(slog.NewTextHandler(&lockedWriter{b: w.logs}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, f := range change {
		f(&w.conf)
	}
	alg := w.conf.Alg
	if alg == "" {
		alg = "RS256"
	}
	w.kv = testKeys()[alg].clone()
	w.conf.KV = w.kv
	w.Authority = w.another()
	return w
}

type lockedWriter struct {
	mu sync.Mutex
	b  *bytes.Buffer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

// another returns one more authority on the same KV. It stands for another process, or for this one
// after a restart.
func (w *world) another() *Authority {
	w.Helper()
	a, err := New(w.Context(), w.conf)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

// create adds a client.
func (w *world) create(tenant string, o ClientOptions) (Client, Secret) {
	w.Helper()
	c, s, err := w.CreateClient(w.Context(), tenant, "test", o)
	if err != nil {
		w.Fatal(err)
	}
	return c, s
}

// token returns a new client and a valid token of it.
func (w *world) token(tenant string, roles ...string) (Client, string) {
	w.Helper()
	c, s := w.create(tenant, ClientOptions{Roles: roles})
	return c, w.mint(c, s)
}

func (w *world) mint(c Client, s Secret) string {
	w.Helper()
	tok, _, err := w.Mint(w.Context(), c.Tenant, c.ID, s)
	if err != nil {
		w.Fatal(err)
	}
	return tok.Reveal()
}

// withToken returns a request that carries a token.
func withToken(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, testRoot+"/v1.0/x", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// verifyOn returns the identity of a request, or the error that the authority refuses it with.
func verifyOn(t testing.TB, a *Authority, r *http.Request, role string) (Identity, *refuse.Error) {
	t.Helper()
	id, err := a.Verify(t.Context(), r, role)
	if err == nil {
		return id, nil
	}
	var e *refuse.Error
	if !errors.As(err, &e) {
		t.Fatalf("Verify returned a %T: %v", err, err)
	}
	if id.Client != "" || id.Tenant != "" || id.Roles != nil {
		t.Fatalf("Verify returned %+v together with the error %v", id, err)
	}
	return id, e
}

func status(e *refuse.Error) int {
	if e == nil {
		return 200
	}
	return e.Status
}

// do sends a request to the handler and returns the answer.
func do(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, testRoot+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
		} else {
			r.Header.Add(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// tokenPath is the token endpoint of a tenant.
func tokenPath(tenant string) string { return "/" + tenant + "/" + pathToken }

// form returns a body with these parameters.
func form(kv ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(kv); i += 2 {
		v.Add(kv[i], kv[i+1])
	}
	return v.Encode()
}

const anyScope = "api://trunklog/.default"

func secretForm(id string, s Secret) string {
	return form("grant_type", "client_credentials", "client_id", id, "client_secret", s.Reveal(), "scope", anyScope)
}

// answer has the members of all the token endpoint's answers.
type answer struct {
	Token         string `json:"access_token"`
	Type          string `json:"token_type"`
	ExpiresIn     int    `json:"expires_in"`
	ExtExpiresIn  int    `json:"ext_expires_in"`
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
}

func readAnswer(t testing.TB, w *httptest.ResponseRecorder) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("the answer %q is no JSON: %v", w.Body, err)
	}
	return a
}

// testConfigIssuer returns an Issuer that knows one root.
func testConfigIssuer(root string) func(*http.Request) string {
	return func(*http.Request) string { return root }
}
