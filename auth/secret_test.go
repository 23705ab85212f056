package auth

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"text/template"
)

// TestSecretHides prints, encodes and logs a secret in many ways.
func TestSecretHides(t *testing.T) {
	s := NewSecret("tlk_verysecret")
	type holder struct {
		S  Secret
		P  *Secret
		M  map[string]Secret
		L  []Secret
		in Secret
	}
	h := holder{s, &s, map[string]Secret{"k": s}, []Secret{s}, s}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%U", "%T %v", "%10s", "%-5v", "%p", "%b", "%e", "%w"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", &s)
		fmt.Fprintf(&out, verb+"\n", h)
		fmt.Fprintf(&out, verb+"\n", &h)
	}
	fmt.Fprintln(&out, s, h, fmt.Errorf("x: %v", s), s.String(), s.GoString())
	for _, v := range []any{s, h, &h, map[string]any{"s": s}} {
		out.Write(must(json.Marshal(v)))
	}
	out.Write(must(xml.Marshal(s)))
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("x", "s", s, "p", &s, "h", h, slog.Group("g", "s", s))
	}
	if err := template.Must(template.New("").Parse("{{.}} {{.S}} {{printf `%s` .S}}")).Execute(&out, h); err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{"verysecret", fmt.Sprintf("%x", "verysecret"), fmt.Sprintf("%X", "verysecret"), fmt.Sprint([]byte("verysecret"))[1:20]} {
		if i := strings.Index(out.String(), leak); i >= 0 {
			t.Errorf("it reads %.80q", out.String()[max(0, i-40):])
		}
	}
	if s.Reveal() != "tlk_verysecret" || s.IsZero() || !(Secret{}).IsZero() || !NewSecret("").IsZero() || (Secret{}).Reveal() != "" {
		t.Error("the secret itself is lost")
	}
}

func TestNewSecret(t *testing.T) {
	form := regexp.MustCompile(`^tlk_[0-9A-Za-z]{43}$`)
	seen := map[string]bool{}
	r := random(9)
	for range 1000 {
		s, err := newSecret(r)
		if err != nil {
			t.Fatal(err)
		}
		if !form.MatchString(s.Reveal()) || seen[s.Reveal()] {
			t.Fatalf("the secret %q", s.Reveal())
		}
		seen[s.Reveal()] = true
	}
	for _, b := range []byte{0, 1, 0xff} {
		s, err := newSecret(bytes.NewReader(bytes.Repeat([]byte{b}, 32)))
		if err != nil || !form.MatchString(s.Reveal()) {
			t.Errorf("of bytes %d: %q, %v", b, s.Reveal(), err)
		}
	}
}

func TestGUID(t *testing.T) {
	g, err := newGUID(random(1))
	if err != nil || !isGUID(g) || g[14] != '4' || !strings.ContainsAny(g[19:20], "89ab") {
		t.Errorf("%q, %v", g, err)
	}
	for _, s := range []string{"", strings.ToUpper(contoso), contoso[1:], contoso + "0", strings.ReplaceAll(contoso, "-", "0"), strings.Repeat("-", 36), "g" + contoso[1:], "{" + contoso[1:35] + "}"} {
		if isGUID(s) {
			t.Errorf("%q is a GUID", s)
		}
	}
}

// TestNothingSecretIsLogged sends good and bad requests, and looks for the secrets in the log.
func TestNothingSecretIsLogged(t *testing.T) {
	w := newWorld(t)
	c, s := w.create(contoso, ClientOptions{})
	h := w.Handler()
	var secrets []string
	keep := func(ss ...string) { secrets = append(secrets, ss...) }
	keep(s.Reveal(), string(testKey), string(w.pepper))
	ans := readAnswer(t, do(h, "POST", tokenPath(contoso), secretForm(c.ID, s)))
	if ans.Token == "" {
		t.Fatal(ans.Description)
	}
	keep(ans.Token, parts(ans.Token)[1], parts(ans.Token)[2])
	wrong := "tlk_" + strings.Repeat("W", 43)
	keep(wrong)
	bodies := []string{
		secretForm(c.ID, NewSecret(wrong)), secretForm(s.Reveal(), s), secretForm(s.Reveal(), NewSecret(c.ID)), secretForm("", s),
		form("grant_type", s.Reveal()), form("grant_type", "client_credentials", "scope", s.Reveal()), form(s.Reveal(), "x", s.Reveal(), "x"),
		form("grant_type", "client_credentials", "scope", anyScope, "client_id", c.ID, "client_assertion", s.Reveal(), "client_assertion_type", assertionType),
		form("grant_type", "client_credentials", "scope", anyScope, "client_id", c.ID, "client_secret", s.Reveal(), "client_assertion", ans.Token, "client_assertion_type", assertionType),
		"%zz" + s.Reveal(), s.Reveal(),
	}
	for _, b := range bodies {
		for _, path := range []string{tokenPath(contoso), tokenPath(s.Reveal())} {
			w := do(h, "POST", path, b)
			if strings.Contains(w.Body.String(), s.Reveal()) || strings.Contains(w.Body.String(), wrong) {
				t.Errorf("the answer repeats the secret: %s", w.Body)
			}
		}
	}
	for _, token := range []string{ans.Token, ans.Token + "x", s.Reveal()} {
		r := withToken(token)
		if _, err := w.Verify(t.Context(), r, RoleIngest); err != nil {
			w.log.Warn("denied", "err", err)
		}
	}
	_, _, err := w.Mint(t.Context(), contoso, s.Reveal(), s)
	w.log.Warn("mint", "err", err)
	w.kv.setFail(fmt.Errorf("disk on fire"))
	w.clock.Add(ClientStale)
	do(h, "POST", tokenPath(contoso), secretForm(c.ID, s))
	w.log.Info("config", "conf", fmt.Sprintf("%v", s))
	logged := w.logs.String()
	for _, x := range secrets {
		notIn(t, "the log", logged, fmt.Sprintf("%.10q…", x), []byte(x))
		notIn(t, "the log", logged, fmt.Sprintf("%.10q…", strings.ToLower(x)), []byte(strings.ToLower(x)))
	}
	if n := strings.Count(logged, "a token was refused"); n != 2*len(bodies) {
		t.Errorf("%d refusals were logged instead of %d", n, 2*len(bodies))
	}
	if !strings.Contains(logged, "disk on fire") || !strings.Contains(logged, "client="+c.ID) {
		t.Errorf("the log lacks what an operator needs:\n%s", logged)
	}
}
