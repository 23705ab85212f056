package sdk

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/test/kit"
)

const tenantID = "1a2b3c4d-0000-4000-8000-00000000c0de"

// A house is a data folder with one tenant in it.
type house struct {
	kit.House
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
	h := &house{House: kit.House{Program: kit.Program(t), Data: t.TempDir()}}
	h.trunklog(t, "tenant", "add", "contoso", "--id", tenantID, "--trunk", "sbc1.contoso.test")
	h.reader = h.newClient(t, "reporter")
	h.feeder = h.newClient(t, "feeder", "--role", "CallRecords.Ingest")
	if len(rows) > 0 {
		h.add(t, rows)
	}
	return h
}

func (h *house) newClient(t *testing.T, name string, flags ...string) client {
	t.Helper()
	out := h.trunklog(t, append([]string{"client", "create", name, "--tenant", "contoso", "-o", "json"}, flags...)...)
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
	_, err := h.Feed(t.Context(), &in, "import", "graph", "--tenant", "contoso", "-")
	return err
}

// token returns an access token, as the command prints it.
func (h *house) token(t *testing.T, c client) string {
	t.Helper()
	out := h.trunklog(t, "token", "--tenant", "contoso", "--client", c.ClientID, "--secret", c.ClientSecret)
	return strings.TrimSpace(string(out))
}

// transport returns one that trusts the server.
func (h *house) transport(t *testing.T) *http.Transport {
	t.Helper()
	tr, err := h.Transport()
	if err != nil {
		t.Fatal(err)
	}
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
	kit.KeyPair
	pem  string // file with the certificate
	both string // file with the certificate and the key
}

func (p keyPair) chain() []*x509.Certificate { return []*x509.Certificate{p.Certificate} }

func newKeyPair(t *testing.T) keyPair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	made, err := kit.NewKeyPair("reporter", key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := keyPair{made, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "both.pem")}
	made.KeyPEM = append(made.KeyPEM, made.CertPEM...)
	if err := made.Write(p.pem, p.both); err != nil {
		t.Fatal(err)
	}
	return p
}
