package auth

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// These families attack the way in which a request carries a token.

// headers has requests that carry a valid token in a wrong way.
func headers(f forger) family {
	fam := family{name: "Authorization header"}
	request := func(name string, make func(r *http.Request)) {
		r := httptest.NewRequest(http.MethodGet, testRoot+"/v1.0/x", nil)
		make(r)
		fam.cases = append(fam.cases, hostile{name: name, req: r, token: name})
	}
	for _, v := range []string{
		"", " ", "Bearer", "Bearer ", "Bearer  ", "bearer", "BEARER ", f.token + ".", "x" + f.token, `"` + f.token + `"`, f.token + ",", f.token + " x", "Bearer" + f.token, "Bearer:" + f.token, "Bearer: " + f.token, "Bearer=" + f.token,
		"Bearer\t" + f.token, "bearer\t" + f.token, "Bearer \t" + f.token, "Bearer\n" + f.token, "Bearer\r\n " + f.token, "Bearer\u00a0" + f.token, "Bearer%20" + f.token, "Bearer+" + f.token,
		" Bearer " + f.token, "\tBearer " + f.token, "Bearer " + f.token + " ", "Bearer " + f.token + "\t", "Bearer " + f.token + "\r\n", "Bearer " + f.token + "\r\nX-Other: 1", "Bearer " + f.token + "\x00", "Bearer \x00" + f.token,
		"Bearer " + f.token + ",", "Bearer " + f.token + ", Bearer " + f.token, "Bearer " + f.token + "," + f.token, "Bearer x, Bearer " + f.token, "Bearer " + f.token + ";", "Bearer " + f.token + " x", "Bearer x " + f.token,
		"Basic " + f.token, "Basic " + base64.StdEncoding.EncodeToString([]byte("Bearer:"+f.token)), "Token " + f.token, "JWT " + f.token, "DPoP " + f.token, "PoP " + f.token, "Digest " + f.token, "Negotiate " + f.token, "OAuth " + f.token, "BearerX " + f.token, "XBearer " + f.token, "Bearer-" + f.token,
		`Bearer "` + f.token + `"`, "Bearer '" + f.token + "'", "Bearer <" + f.token + ">", "Bearer token=" + f.token, "Bearer access_token=" + f.token, `Bearer token="` + f.token + `"`, "Bearer " + b64s(f.token),
		"Веarer " + f.token, "Bearer null", "Bearer undefined", "Bearer {}", "Bearer " + strings.Repeat("x", 1<<20), strings.Repeat("Bearer ", 1000) + f.token,
	} {
		request(fmt.Sprintf("%.60q", v), func(r *http.Request) { r.Header["Authorization"] = []string{v} })
	}
	request("none", func(*http.Request) {})
	request("empty list", func(r *http.Request) { r.Header["Authorization"] = []string{} })
	request("twice", func(r *http.Request) {
		r.Header["Authorization"] = []string{"Bearer " + f.token, "Bearer " + f.token}
	})
	request("twice, the first empty", func(r *http.Request) { r.Header["Authorization"] = []string{"", "Bearer " + f.token} })
	request("twice, the second empty", func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer " + f.token, ""} })
	request("twice, one Basic", func(r *http.Request) { r.Header["Authorization"] = []string{"Basic eDp5", "Bearer " + f.token} })
	for _, h := range []string{"authorization", "AUTHORIZATION", "Proxy-Authorization", "X-Authorization", "X-Forwarded-Authorization", "Authorization ", "X-Access-Token", "X-MS-TOKEN-AAD-ACCESS-TOKEN", "Cookie"} {
		request(h, func(r *http.Request) { r.Header[h] = []string{"Bearer " + f.token} })
	}
	for _, q := range []string{"access_token", "token", "bearer_token", "Authorization", "auth"} {
		r := httptest.NewRequest(http.MethodGet, testRoot+"/v1.0/x?"+q+"="+f.token, nil)
		fam.cases = append(fam.cases, hostile{name: q + " in the URL", req: r})
		r = httptest.NewRequest(http.MethodPost, testRoot+"/v1.0/x", strings.NewReader(q+"="+f.token))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		fam.cases = append(fam.cases, hostile{name: q + " in the body", req: r})
	}
	request("cookie", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "access_token", Value: f.token}) })
	request("user in the URL", func(r *http.Request) { r.SetBasicAuth("Bearer", f.token) })
	return fam
}

// places returns the places of the bytes of a token; with -short each fifth, so that each bit of a
// byte is flipped somewhere, and the last ones, whose bits are not all used.
func places(token string) (at []int) {
	for i := range len(token) {
		if !testing.Short() || i%5 == 0 || len(token)-i < 4 {
			at = append(at, i)
		}
	}
	return at
}

func truncated(f forger) family {
	fam := family{name: "truncated at each byte"}
	for _, i := range places(f.token) {
		fam.add(fmt.Sprint(i), f.token[:i])
	}
	return fam
}

func flipped(f forger) family {
	fam := family{name: "one bit flipped in each byte"}
	for _, i := range places(f.token) {
		b := []byte(f.token)
		b[i] ^= 1 << (i % 7)
		fam.add(fmt.Sprint(i), string(b))
	}
	return fam
}
