package auth

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// These families attack the form of a token.

func nested(f forger) family {
	fam := family{name: "nested and encrypted"}
	fam.add("token as payload", forge(f.header.with("cty", `"JWT"`).String(), f.token, f.sign))
	fam.add("token as payload, no cty", forge(f.header.String(), f.token, f.sign))
	fam.add("cty", f.headed(f.header.with("cty", `"JWT"`).String()))
	for name, head := range map[string]string{
		"dir":        `{"alg":"dir","enc":"A256GCM"}`,
		"p2c 10^9":   `{"alg":"PBES2-HS256+A128KW","enc":"A128CBC-HS256","p2c":1000000000,"p2s":"c2FsdHNhbHRzYWx0"}`,
		"p2c 2^63":   `{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":9223372036854775807,"p2s":"c2FsdA"}`,
		"zip":        `{"alg":"dir","enc":"A256GCM","zip":"DEF"}`,
		"RSA1_5":     `{"alg":"RSA1_5","enc":"A128CBC-HS256"}`,
		"RSA-OAEP":   `{"alg":"RSA-OAEP","enc":"A256GCM","kid":` + quote(f.key.kid) + `}`,
		"ECDH-ES":    `{"alg":"ECDH-ES","enc":"A128GCM","epk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}`,
		"none, zip":  `{"alg":"none","zip":"DEF"}`,
		"our header": f.header.String(),
	} {
		fam.add("JWE "+name, b64s(head)+"."+b64s("key")+"."+b64s("iv")+"."+b64s(strings.Repeat("c", 1000))+"."+b64s("tag"))
		fam.add("JWE without key "+name, b64s(head)+".."+b64s("iv")+"."+b64s("c")+"."+b64s("tag"))
		fam.add("JWE header on a JWS "+name, forge(head, f.payload.String(), f.sign)+"x")
	}
	for _, x := range []field{{"zip", `"DEF"`}, {"enc", `"A256GCM"`}, {"p2c", "1000000000"}, {"p2s", `"x"`}, {"epk", "{}"}} {
		fam.add(x.name, f.headed(f.header.with(x.name, x.value).String()))
	}
	return fam
}

func serializations(f forger) family {
	fam := family{name: "serialization"}
	p := parts(f.token)
	flat := fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, p[1], p[0], p[2])
	general := fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, p[1], p[0], p[2])
	both := fmt.Sprintf(`{"payload":%q,"protected":%q,"header":{"kid":"x"},"signature":%q,"signatures":[{"protected":%q,"signature":%q}]}`, p[1], p[0], p[2], p[0], p[2])
	for name, s := range map[string]string{"flat": flat, "general": general, "both": both} {
		fam.add(name, s)
		fam.add(name+" in base64", b64s(s))
		fam.add(name+" with space", " "+s)
	}
	for name, s := range map[string]string{
		"detached": p[0] + ".." + p[2], "no header": "." + p[1] + "." + p[2], "one part": p[0], "two parts": p[0] + "." + p[1], "no dots": p[0] + p[1] + p[2],
		"four parts": f.token + "." + p[2], "dot behind": f.token + ".", "dot in front": "." + f.token, "double dot": p[0] + ".." + p[1] + "." + p[2],
		"one dot": ".", "two dots": "..", "three dots": "...", "a.b.c": "a.b.c", "AA.AA.AA": "AA.AA.AA", "e30.e30.e30": "e30.e30.e30",
		"parts exchanged": p[1] + "." + p[0] + "." + p[2], "payload twice": p[1] + "." + p[1] + "." + p[2],
		"two tokens": f.token + f.token, "two tokens, comma": f.token + "," + f.token, "two tokens, space": f.token + " " + f.token,
		"with ~ (SD-JWT)": f.token + "~", "disclosure": f.token + "~" + b64s(`["salt","roles",["x"]]`) + "~",
		"10^6 dots": strings.Repeat(".", 1_000_000), "10^6 dots behind": f.token + strings.Repeat(".", 1_000_000), "1 MB": strings.Repeat("A", 1<<20),
		"1 MB payload": p[0] + "." + strings.Repeat("A", 1<<20) + "." + p[2], "1 MB header": strings.Repeat("A", 1<<20) + "." + p[1] + "." + p[2], "1 MB signature": p[0] + "." + p[1] + "." + strings.Repeat("A", 1<<20),
		"8 KiB header":    b64s(f.header.with("x", quote(strings.Repeat("x", 5000))).String()) + "." + p[1] + "." + p[2],
		"8 KiB signature": p[0] + "." + p[1] + "." + strings.Repeat("A", 6000),
		"null":            "null", "undefined": "undefined", "[object Object]": "[object Object]", "quoted": `"` + f.token + `"`, "in brackets": "<" + f.token + ">",
		"prefix": "Bearer " + f.token, "colon": ": " + f.token, "percent": strings.ReplaceAll(f.token, ".", "%2E"), "hexadecimal": fmt.Sprintf("%x", f.token),
	} {
		fam.add(name, s)
	}
	for _, sp := range []string{" ", "\t", "\n", "\r\n", "\v", "\f", "\u00a0", "\u2028", "\x00", "\\n", "%20", "+", "%0a"} {
		fam.add(fmt.Sprintf("%q in the header", sp), p[0][:10]+sp+p[0][10:]+"."+p[1]+"."+p[2])
		fam.add(fmt.Sprintf("%q in the payload", sp), p[0]+"."+p[1][:10]+sp+p[1][10:]+"."+p[2])
		fam.add(fmt.Sprintf("%q in the signature", sp), p[0]+"."+p[1]+"."+p[2][:10]+sp+p[2][10:])
		if sp != " " { // the server accepts more spaces after Bearer
			fam.add(fmt.Sprintf("%q in front", sp), sp+f.token)
		}
		fam.add(fmt.Sprintf("%q behind", sp), f.token+sp)
		fam.add(fmt.Sprintf("%q at the dot", sp), p[0]+sp+"."+p[1]+"."+p[2])
	}
	return fam
}

// encodings has other spellings of the same bytes in base64.
func encodings(f forger) family {
	fam := family{name: "base64"}
	p := parts(f.token)
	for i, name := range []string{"header", "payload", "signature"} {
		put := func(how, part string) {
			q := slices.Clone(p)
			q[i] = part
			if part != p[i] {
				fam.add(name+" "+how, strings.Join(q, "."))
			}
		}
		put("padded once", p[i]+"=")
		put("padded twice", p[i]+"==")
		put("with 4 padding signs", p[i]+"====")
		put("padded to the quantum", p[i]+strings.Repeat("=", (4-len(p[i])%4)%4))
		put("in the standard alphabet", strings.NewReplacer("-", "+", "_", "/").Replace(p[i]))
		put("in the standard alphabet with padding", base64.StdEncoding.EncodeToString(unb64(p[i]))+"=")
		put("one letter more", p[i]+"A")
		put("two letters more", p[i]+"AA")
		put("encoded twice", b64s(p[i]))
		put("percent-encoded", "%"+fmt.Sprintf("%x", p[i][0])+p[i][1:])
		put("in hexadecimal", fmt.Sprintf("%x", unb64(p[i])))
		put("with a letter outside", p[i][:5]+"ä"+p[i][5:])
		put("in full width", "ｅ"+p[i][1:])
		// A lax decoder ignores the bits after the last byte.
		if n := len(p[i]) % 4; n == 2 || n == 3 {
			const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
			last := strings.IndexByte(alphabet, p[i][len(p[i])-1])
			for bit := range map[int]int{2: 4, 3: 2}[n] {
				put(fmt.Sprintf("with trailing bit %d", bit), p[i][:len(p[i])-1]+string(alphabet[last^1<<bit]))
			}
		}
	}
	// The same in payloads of every length, signed by us in that spelling.
	for pad := range 3 {
		payload := f.payload.with("x", quote(strings.Repeat("x", pad))).String()
		e := b64s(payload)
		if n := len(e) % 4; n != 0 {
			input := p[0] + "." + e + strings.Repeat("=", 4-n)
			fam.add(fmt.Sprintf("padding signed by us, length %d", n), input+"."+b64(f.sign(input)))
			input = p[0] + "." + e[:len(e)-1] + string(e[len(e)-1]+1)
			fam.add(fmt.Sprintf("trailing bits signed by us, length %d", n), input+"."+b64(f.sign(input)))
		}
		input := p[0] + "." + e[:8] + "\n" + e[8:]
		fam.add(fmt.Sprintf("line end signed by us, %d", pad), input+"."+b64(f.sign(input)))
		input = p[0] + "." + base64.StdEncoding.EncodeToString([]byte(payload+"\u00ff"))
		fam.add(fmt.Sprintf("standard alphabet signed by us, %d", pad), input+"."+b64(f.sign(input)))
	}
	return fam
}
