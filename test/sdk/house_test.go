package sdk

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const tenantID = "1a2b3c4d-0000-4000-8000-00000000c0de"

// A house is a data folder with one tenant in it.
type house struct {
	dir    string
	reader client // may read
	feeder client // may write, and not read
}

// A client is what `client create -o json` prints.
type client struct {
	TenantID     string `json:"tenantId"`
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
}

// newHouse makes a data folder that holds the given rows.
func newHouse(t *testing.T, rows []row) *house {
	t.Helper()
	h := &house{dir: t.TempDir()}
	trunklog(t, nil, "tenant", "add", "contoso", "--data", h.dir, "--id", tenantID, "--trunk", "sbc1.contoso.test")
	h.reader = h.newClient(t, "reporter")
	h.feeder = h.newClient(t, "feeder", "--role", "CallRecords.Ingest")
	if len(rows) > 0 {
		h.add(t, rows)
	}
	return h
}

func (h *house) newClient(t *testing.T, name string, flags ...string) client {
	t.Helper()
	out := trunklog(t, nil, append([]string{"client", "create", name, "--data", h.dir, "--tenant", "contoso", "-o", "json"}, flags...)...)
	var c client
	if err := json.Unmarshal(out, &c); err != nil {
		t.Fatalf("client create printed %q: %v", out, err)
	}
	if !strings.EqualFold(c.TenantID, tenantID) || c.ClientID == "" {
		t.Fatalf("client create printed tenant %q and client %q", c.TenantID, c.ClientID)
	}
	return c
}

// add imports rows, through the running server if there is one.
func (h *house) add(t *testing.T, rows []row) {
	t.Helper()
	if err := h.tryAdd(t, rows); err != nil {
		t.Fatal(err)
	}
}

func (h *house) tryAdd(t *testing.T, rows []row) error {
	var in bytes.Buffer
	for _, r := range rows {
		in.WriteString(r.line + "\n")
	}
	_, err := tryTrunklog(t, &in, "import", "graph", "--data", h.dir, "--tenant", "contoso", "-")
	return err
}

// token returns an access token, as the command prints it.
func (h *house) token(t *testing.T, c client) string {
	t.Helper()
	out := trunklog(t, nil, "token", "--data", h.dir, "--tenant", "contoso", "--client", c.ClientID, "--secret", c.ClientSecret)
	return strings.TrimSpace(string(out))
}

// caFile is where the authority of the server's certificate lies once the
// server has been started.
func (h *house) caFile() string { return filepath.Join(h.dir, "tls", "ca.pem") }

// transport returns one that trusts the server.
func (h *house) transport(t *testing.T) *http.Transport {
	t.Helper()
	b, err := os.ReadFile(h.caFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b) {
		t.Fatalf("%s holds no certificate", h.caFile())
	}
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.TLSClientConfig = &tls.Config{RootCAs: roots}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// forge changes one letter in the middle of a token's signature.
func forge(token string) string {
	dot := strings.LastIndexByte(token, '.')
	at := dot + (len(token)-dot)/2
	letter := "A"
	if token[at] == 'A' {
		letter = "B"
	}
	return token[:at] + letter + token[at+1:]
}

// A keyPair is a client's certificate and its key.
type keyPair struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
	pem  string // file with the certificate
	both string // file with the certificate and the key
}

func (p keyPair) chain() []*x509.Certificate { return []*x509.Certificate{p.cert} }

func newKeyPair(t *testing.T) keyPair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "reporter"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := keyPair{cert: cert, key: key, pem: filepath.Join(t.TempDir(), "cert.pem"), both: filepath.Join(t.TempDir(), "both.pem")}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	for path, content := range map[string][]byte{p.pem: certPEM, p.both: append(keyPEM, certPEM...)} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}
