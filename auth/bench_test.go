package auth

import (
	"context"
	"strings"
	"testing"
)

// BenchmarkVerify measures the cost of a valid token in a request to the API.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256"} {
		b.Run(alg, func(b *testing.B) {
			a, token := benchWorld(b, alg)
			r := withToken(token)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Verify(context.Background(), r, RoleRead); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRefuse measures the cost of a bad token, which a stranger can cause.
func BenchmarkRefuse(b *testing.B) {
	a, token := benchWorld(b, "RS256")
	for name, t := range map[string]string{"signature": token[:len(token)-8] + "AAAAAAAA", "garbage": strings.Repeat("x", 8000), "long": strings.Repeat("A", 500) + "." + strings.Repeat("A", 7000) + ".AAAA"} {
		b.Run(name, func(b *testing.B) {
			r := withToken(t)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Verify(context.Background(), r, RoleRead); err == nil {
					b.Fatal("it was let in")
				}
			}
		})
	}
}

// BenchmarkToken measures one request for a token, without the network.
func BenchmarkToken(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256"} {
		b.Run(alg, func(b *testing.B) {
			a, _ := benchWorld(b, alg)
			c, s, err := a.CreateClient(context.Background(), contoso, "bench", ClientOptions{})
			if err != nil {
				b.Fatal(err)
			}
			h, body := a.Handler(), secretForm(c.ID, s)
			b.ReportAllocs()
			for b.Loop() {
				if w := do(h, "POST", tokenPath(contoso), body); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

func benchWorld(b *testing.B, alg string) (*Authority, string) {
	conf := testConfig(testKeys()[alg].clone(), nil, nil)
	conf.Alg = alg
	unlimited(&conf)
	a, err := New(context.Background(), conf)
	if err != nil {
		b.Fatal(err)
	}
	c, s, err := a.CreateClient(context.Background(), contoso, "bench", ClientOptions{})
	if err != nil {
		b.Fatal(err)
	}
	token, _, err := a.Mint(context.Background(), contoso, c.ID, s)
	if err != nil {
		b.Fatal(err)
	}
	return a, token.Reveal()
}
