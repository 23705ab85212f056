package sdk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// place returns what the tally needs of a row that the SDK has read.
func place(t *testing.T, r sdkRow) row {
	t.Helper()
	if r.GetId() == nil || r.GetStartDateTime() == nil {
		t.Fatalf("a row without id or start: %s", readBySDK(r).text(t))
	}
	return row{id: *r.GetId(), start: *r.GetStartDateTime()}
}

func TestGoSDKPages(t *testing.T) {
	t.Parallel()
	rows := generate(t, rowCount, 1)
	h := newHouse(t, rows)
	pair := newKeyPair(t)
	certified := h.newClient(t, "certified", "--cert", pair.pem)
	s := h.serve(t)
	cert, err := azidentity.NewClientCertificateCredential(certified.TenantID, certified.ClientID, pair.chain(), pair.Key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: s.identity(t), DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, cred := range map[string]azcore.TokenCredential{"secret": s.bySecret(t, h.reader), "certificate": cert} {
		t.Run(name, func(t *testing.T) {
			g := newGoSDK(t, s, cred, "v1.0")
			walkAll(t, g, rows)
			for i, e := range g.wire.exchanges() {
				if !e.gzip || e.status != 200 {
					t.Errorf("page %d was answered by %d, gzip %v", i+1, e.status, e.gzip)
				}
			}
			if n := len(g.wire.exchanges()); n != rowCount/pageSize {
				t.Errorf("the walk took %d requests, want %d", n, rowCount/pageSize)
			}
		})
	}
}

// walkAll reads the whole log and compares every property of every row.
func walkAll(t *testing.T, g *goSDK, rows []row) {
	t.Helper()
	tally := newTally(rows)
	want := make(map[string]string, len(rows))
	for _, r := range rows {
		want[r.id] = decode[graphRow](t, []byte(r.line)).text(t)
	}
	differences := 0
	err := g.walk(t, nil, func(r sdkRow) bool {
		p := place(t, r)
		tally.saw(t, p)
		if got := readBySDK(r).text(t); got != want[p.id] {
			differences++
			t.Errorf("row %s is\n%s, want\n%s", p.id, got, want[p.id])
		}
		return differences < 5
	})
	if err != nil {
		t.Fatal(err)
	}
	tally.check(t)
}

// Rows that arrive late, anywhere in the range, neither hide nor repeat those
// that were there.
func TestGoSDKPagesWhileRowsArrive(t *testing.T) {
	t.Parallel()
	rows := generate(t, rowCount, 1)
	h := newHouse(t, rows)
	s := h.serve(t)
	g := newGoSDK(t, s, s.bySecret(t, h.reader), "v1.0")

	arrivals := newArrivals(t, h, rows)
	n := 0
	err := g.walk(t, nil, func(r sdkRow) bool {
		arrivals.tally.saw(t, place(t, r))
		if n++; n%pageSize == 0 {
			arrivals.afterPage(t, n/pageSize)
		}
		return !t.Failed()
	})
	if err != nil {
		t.Fatal(err)
	}
	all := arrivals.finish(t)

	fresh := newTally(all)
	if err := newGoSDK(t, s, s.bySecret(t, h.reader), "v1.0").walk(t, nil, func(r sdkRow) bool {
		fresh.saw(t, place(t, r))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	fresh.check(t)
}

// With --strict the links say $skip=1000 and nothing else, as Microsoft's do.
func TestGoSDKPagesStrict(t *testing.T) {
	t.Parallel()
	rows := generate(t, rowCount, 1)
	h := newHouse(t, rows)
	s := h.serve(t, "--strict")
	g := newGoSDK(t, s, s.bySecret(t, h.reader), "v1.0")
	walkAll(t, g, rows)
	for i, e := range g.wire.exchanges() {
		want := ""
		if i > 0 {
			want = fmt.Sprintf("$skip=%d", i*pageSize)
		}
		if _, query, _ := strings.Cut(e.url, "?"); query != want {
			t.Errorf("page %d was asked for by %q, want %q", i+1, query, want)
		}
	}
}

// The beta root adds four properties. The SDK for v1.0 keeps those that are
// known aside.
func TestGoSDKBeta(t *testing.T) {
	t.Parallel()
	rows := generate(t, 50, 3)
	h := newHouse(t, rows)
	s := h.serve(t)
	for root, added := range map[string]bool{"v1.0": false, "beta": true} {
		page, err := newGoSDK(t, s, s.bySecret(t, h.reader), root).first(t, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := page.GetOdataCount(); n == nil || *n != int64(len(rows)) || len(page.GetValue()) != len(rows) {
			t.Fatalf("%s has %d rows, want %d", root, len(page.GetValue()), len(rows))
		}
		if page.GetAdditionalData()["@odata.context"] == nil {
			t.Errorf("%s has no @odata.context", root)
		}
		for i, r := range page.GetValue() {
			want := decode[map[string]any](t, []byte(rows[i].line))
			for _, name := range betaOnly {
				got := r.GetAdditionalData()[name]
				if !added || want[name] == nil {
					if got != nil {
						t.Errorf("%s: %s of row %d is there", root, name, i)
					}
					continue
				}
				if text, ok := want[name].(string); got == nil || ok && *got.(*string) != text {
					t.Errorf("%s: %s of row %d is %v, want %v", root, name, i, got, want[name])
				}
			}
		}
	}
}
