package auth

import (
	"fmt"
	"slices"
	"strings"
)

// These families have tokens with wrong contents, signed with the real key.

// rawJSON has claims and headers that two readers may understand differently.
func rawJSON(f forger) family {
	fam := family{name: "JSON"}
	good := f.payload.String()
	inner := good[1 : len(good)-1]
	for _, x := range f.payload {
		for _, v := range []string{x.value, `"other"`, "null", "1"} {
			fam.add("twice: "+x.name+" "+v, f.claims("{"+inner+","+quote(x.name)+":"+v+"}"))
			fam.add("twice, before: "+x.name+" "+v, f.claims("{"+quote(x.name)+":"+v+","+inner+"}"))
		}
		escaped := fmt.Sprintf(`"\u%04x%s"`, x.name[0], x.name[1:])
		fam.add("escaped name: "+x.name, f.claims("{"+strings.Replace(inner, quote(x.name), escaped, 1)+"}"))
		fam.add("twice, escaped: "+x.name, f.claims("{"+inner+","+escaped+`:"other"}`))
		// A token without roles is valid and grants nothing, and tokens of earlier versions lack
		// the other claims.
		if !slices.Contains([]string{"roles", "app_displayname", "appidacr", "azpacr", "idtyp", "uti", "via"}, x.name) {
			fam.add("upper case: "+x.name, f.claims("{"+strings.Replace(inner, quote(x.name), quote(strings.ToUpper(x.name)), 1)+"}"))
		}
		fam.add("null: "+x.name, f.claim(x.name, "null"))
		fam.add("object: "+x.name, f.claim(x.name, `{"a":1}`))
		fam.add("true: "+x.name, f.claim(x.name, "true"))
	}
	for _, x := range f.header {
		head := f.header.String()
		in := head[1 : len(head)-1]
		for _, v := range []string{x.value, `"none"`, "null"} {
			fam.add("header twice: "+x.name+" "+v, f.headed("{"+in+","+quote(x.name)+":"+v+"}"))
			fam.add("header twice, before: "+x.name+" "+v, f.headed("{"+quote(x.name)+":"+v+","+in+"}"))
		}
		escaped := fmt.Sprintf(`"\u%04x%s"`, x.name[0], x.name[1:])
		fam.add("header, escaped name: "+x.name, f.headed("{"+strings.Replace(in, quote(x.name), escaped, 1)+"}"))
		fam.add("header, upper case: "+x.name, f.headed("{"+strings.Replace(in, quote(x.name), quote(strings.ToUpper(x.name)), 1)+"}"))
	}
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	for name, s := range map[string]string{
		"empty": "", "space": " ", "{}": "{}", "[]": "[]", "null": "null", "string": `"x"`, "number": "1", "true": "true", "array of it": "[" + good + "]", "nested": `{"claims":` + good + "}",
		"BOM": "\ufeff" + good, "UTF-16": "\xff\xfe" + good, "NUL behind": good + "\x00", "NUL in front": "\x00" + good,
		"twice": good + good, "garbage behind": good + "x", "comma behind": good + ",", "brace behind": good + "}", "brace missing": good[:len(good)-1],
		"trailing comma": "{" + inner + ",}", "leading comma": "{," + inner + "}", "comment": "{/**/" + inner + "}", "line comment": "{//\n" + inner + "}", "single quotes": strings.ReplaceAll(good, `"`, "'"),
		"no quotes": strings.ReplaceAll(good, `"`, ""), "deep array": "{" + inner + `,"x":` + deep + "}", "deep object": "{" + inner + `,"x":` + strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000) + "}",
		"9 deep": "{" + inner + `,"x":` + strings.Repeat("[", 9) + strings.Repeat("]", 9) + "}", "unclosed deep": "{" + inner + `,"x":` + strings.Repeat("[", 3000) + "}",
		"NaN": "{" + inner + `,"x":NaN}`, "Infinity": "{" + inner + `,"x":Infinity}`, "hexadecimal": "{" + inner + `,"x":0x10}`, "leading zero": "{" + inner + `,"x":01}`, "plus": "{" + inner + `,"x":+1}`,
		"tab in string": "{" + inner + ",\"x\":\"\t\"}", "bad escape": "{" + inner + `,"x":"\q"}`, "bad \\u": "{" + inner + `,"x":"\u12"}`,
		"invalid UTF-8 value": "{" + inner + ",\"x\":\"\xff\"}", "invalid UTF-8 name": "{" + inner + ",\"\xff\":1}", "overlong": "{" + inner + ",\"x\":\"\xc0\xaf\"}", "surrogate": "{" + inner + ",\"x\":\"\xed\xa0\x80\"}", "name of one escape": "{" + inner + `,"\u0000":1}`, "name with a quote": "{" + inner + `,"a\"b":1}`,
		"1 MB": "{" + inner + `,"x":"` + strings.Repeat("x", 1<<20) + `"}`, "10,000 members": "{" + inner + manyMembers(10_000) + "}",
	} {
		fam.add(name, f.claims(s))
	}
	head := f.header.String()
	for name, s := range map[string]string{
		"empty": "", "{}": "{}", "[]": "[]", "null": "null", "BOM": "\ufeff" + head, "NUL": head + "\x00", "garbage": head + "x", "array": "[" + head + "]", "invalid UTF-8": head[:len(head)-1] + ",\"x\":\"\xff\"}", "deep": head[:len(head)-1] + `,"x":` + deep + "}",
	} {
		fam.add("header "+name, f.headed(s))
	}
	return fam
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"x%d":0`, i)
	}
	return b.String()
}

// badTimes are values that are no NumericDate, or none of a possible time.
var badTimes = []string{
	`"1764000000"`, "1764000000.5", "1.764e9", "1e400", "-1", "-1764000000", "9223372036854775807", "9223372036854775808", "18446744073709551616", "253402300800", "1e9999999",
	"null", "true", "[]", "{}", "[1764000000]", `""`, `"never"`, `"NaN"`, `"2026-11-23T13:00:00Z"`, "0.1", "-0", "0e0",
}

func expiries(f forger, w *world) family {
	now := w.clock.Now().Unix()
	fam := fromTable("exp", badTimes, func(v string) string { return f.claim("exp", v) })
	fam.add("missing", f.claims(f.payload.without("exp").String()))
	for _, d := range []int64{-60, -61, -3600, -86400, -now, -now + 1} {
		t := f.payload.with("exp", num(now+d)).with("iat", num(max(0, now+d-3600))).with("nbf", num(max(0, now+d-3600)))
		fam.add(fmt.Sprintf("now%+d s", d), f.claims(t.String()))
	}
	for _, d := range []int64{3601, 7200, 86400, 365 * 86400, 100_000_000} {
		fam.add(fmt.Sprintf("a life of %d s", d), f.claim("exp", num(now+d)))
	}
	fam.add("milliseconds", f.claim("exp", num((now+3600)*1000)))
	return fam
}

func beginnings(f forger, w *world) family {
	now := w.clock.Now().Unix()
	fam := family{name: "nbf and iat"}
	for _, name := range []string{"nbf", "iat"} {
		for _, v := range badTimes {
			fam.add(name+" "+v, f.claim(name, v))
		}
		fam.add(name+" missing", f.claims(f.payload.without(name).String()))
		for _, d := range []int64{61, 120, 3600, 86400} {
			fam.add(fmt.Sprintf("%s now%+d s", name, d), f.claim(name, num(now+d)))
		}
	}
	fam.add("iat long ago", f.claim("iat", num(now-86400)))
	fam.add("all in the future", f.claims(f.payload.with("nbf", num(now+90)).with("iat", num(now+90)).with("exp", num(now+3690)).String()))
	return fam
}

func audiences(f forger) family {
	fam := fromTable("aud", []string{
		"", " ", "api://trunklog/", "api://trunklo", "api://trunklogs", "API://TRUNKLOG", "api://Trunklog", "api:/trunklog", "trunklog", "api://trunklog ", " api://trunklog", "api://trunklog\x00", "api://trunkl\u043eg", "api://xn--trunklg-2fb",
		"api://other", "api://trunklog/.default", "https://graph.microsoft.com", "https://graph.microsoft.com/", "00000003-0000-0000-c000-000000000000", testRoot, testRoot + "/", testRoot + "/" + contoso + "/oauth2/v2.0/token", "*", "api://trunklog api://other", "api://trunklog,api://other", "api%3A%2F%2Ftrunklog", "api://user@trunklog", "api://trunklog:443", "api://trunklog?", "api://trunklog#",
	}, func(v string) string { return f.claim("aud", quote(v)) })
	for _, v := range []string{"null", "1", "{}", "[]", `["api://trunklog"]`, `["api://trunklog","api://other"]`, `["api://other","api://trunklog"]`, `["api://trunklog","api://trunklog"]`, `{"api://trunklog":1}`, "true"} {
		fam.add(v, f.claim("aud", v))
	}
	fam.add("missing", f.claims(f.payload.without("aud").String()))
	return fam
}

func issuers(f forger) family {
	host := strings.TrimPrefix(testRoot, "https://")
	fam := fromTable("iss", []string{
		"", "/", testRoot, testRoot + "/", testRoot + "/" + contoso, testRoot + "/" + contoso + "/", testRoot + "/" + contoso + "/v2.0/", testRoot + "//" + contoso + "/v2.0", testRoot + "/" + contoso + "//v2.0",
		testRoot + "/" + strings.ToUpper(contoso) + "/V2.0", testRoot + "/" + contoso + "/v1.0", testRoot + "/" + contoso + "/v2.0 ", " " + testRoot + "/" + contoso + "/v2.0", testRoot + "/" + contoso + "/v2.0?x", testRoot + "/" + contoso + "/v2.0#x", testRoot + "/" + contoso + "/v2.0\x00",
		"HTTPS://" + host + "/" + contoso + "/v2.0", "https://" + strings.ToUpper(host) + "/" + contoso + "/v2.0", "http://" + host + "/" + contoso + "/v2.0", "https://calls.example.test/" + contoso + "/v2.0", "https://calls.example.test:443/" + contoso + "/v2.0", "https://calls.example.test.:8443/" + contoso + "/v2.0",
		"https://user@" + host + "/" + contoso + "/v2.0", "https://user:pass@" + host + "/" + contoso + "/v2.0", "https://" + host + "@attacker.example/" + contoso + "/v2.0", "https://attacker.example/" + contoso + "/v2.0", "https://" + host + ".attacker.example/" + contoso + "/v2.0", "https://attacker.example#" + host + "/" + contoso + "/v2.0",
		"https://c\u0430lls.example.test:8443/" + contoso + "/v2.0", testRoot + "/x/../" + contoso + "/v2.0", testRoot + "/%31" + contoso[1:] + "/v2.0", testRoot + "/x/" + contoso + "/v2.0", "//" + host + "/" + contoso + "/v2.0", host + "/" + contoso + "/v2.0", "/" + contoso + "/v2.0",
		testRoot + "/" + fabrikam + "/v2.0", testRoot + "/contoso.example/v2.0", testRoot + "/common/v2.0", testRoot + "/{tenantid}/v2.0", "https://sts.windows.net/" + contoso + "/", "https://login.microsoftonline.com/" + contoso + "/v2.0",
	}, func(v string) string { return f.claim("iss", quote(v)) })
	for _, v := range []string{"null", "1", "[]", "[" + f.payload.get("iss") + "]", "{}"} {
		fam.add(v, f.claim("iss", v))
	}
	fam.add("missing", f.claims(f.payload.without("iss").String()))
	return fam
}

func tenantClaims(f forger) family {
	fam := fromTable("tid", []string{
		"", fabrikam, nobody, "contoso.example", "common", strings.ToUpper(contoso), "{" + contoso + "}", strings.ReplaceAll(contoso, "-", ""), contoso + " ", " " + contoso, contoso + "\x00", contoso[:35], contoso + "1", "*", "00000000-0000-0000-0000-000000000000", "../" + fabrikam,
	}, func(v string) string { return f.claim("tid", quote(v)) })
	both := func(name, tid string) {
		fam.add(name, f.claims(f.payload.with("tid", quote(tid)).with("iss", quote(testRoot+"/"+tid+"/v2.0")).String()))
	}
	both("another tenant, in iss too", fabrikam)
	both("no tenant, in iss too", nobody)
	both("a name, in iss too", "contoso.example")
	both("upper case, in iss too", strings.ToUpper(contoso))
	both("empty, in iss too", "")
	for _, v := range []string{"null", "1", "[]", "[" + quote(contoso) + "]", "{}"} {
		fam.add(v, f.claim("tid", v))
	}
	fam.add("missing", f.claims(f.payload.without("tid").String()))
	return fam
}

func roleClaims(f forger) family {
	fam := family{name: "roles and scp"}
	for _, v := range []string{`"CallRecords.Read.All"`, "null", "1", "true", `{"CallRecords.Read.All":true}`, "[1]", "[null]", `["CallRecords.Read.All",null]`, `["CallRecords.Read.All",1]`, `[["CallRecords.Read.All"]]`, `""`} {
		fam.add("roles "+v, f.claim("roles", v))
	}
	for _, v := range []string{
		"[]", `[""]`, `["callrecords.read.all"]`, `["CALLRECORDS.READ.ALL"]`, `["CallRecords.Read"]`, `["CallRecords.Read.All "]`, `[" CallRecords.Read.All"]`, `["CallRecords.Read.All CallRecords.Ingest"]`, `["CallRecords.Read.All,x"]`,
		`["CallRecords.*"]`, `["*"]`, `["CallRecords.Read.All\u0000"]`, `["CallRecord-PstnCalls.Read.All"]`, `["CallRecords.Ingest"]`, `["Directory.Read.All","User.Read.All"]`, `["CallRecords.ReadWrite.All"]`, `["CаllRecords.Read.All"]`, `["45bbb07e-7321-4fd7-a8f6-3ff27e6a81c8"]`, `["admin"]`, `["Global Administrator"]`,
	} {
		fam.forbid("roles "+v, f.claim("roles", v))
	}
	fam.forbid("roles missing", f.claims(f.payload.without("roles").String()))
	for _, v := range []string{`"CallRecords.Read.All"`, `"CallRecords.Read.All openid"`, `""`, "null", "[]", `["CallRecords.Read.All"]`, "1"} {
		fam.forbid("scp alone "+v, f.claims(f.payload.without("roles").with("scp", v).String()))
		fam.forbid("scp beside roles "+v, f.claims(f.payload.with("scp", v).String()))
	}
	for _, name := range []string{"role", "Roles", "groups", "wids", "scope", "permissions", "authorities"} {
		fam.forbid(name+" instead of roles", f.claims(f.payload.without("roles").with(name, `["CallRecords.Read.All"]`).String()))
	}
	return fam
}

func identities(f forger) family {
	fam := family{name: "client and subject"}
	for _, name := range []string{"appid", "azp", "client_id", "sub", "oid", "jti", "ver"} {
		fam.add(name+" missing", f.claims(f.payload.without(name).String()))
		for _, v := range []string{`""`, quote(nobody), "1", "[]", "[" + f.payload.get(name) + "]"} {
			if name != "jti" || v != quote(nobody) { // the server accepts any jti
				fam.add(name+" "+v, f.claim(name, v))
			}
		}
	}
	all := func(id string) string {
		p := f.payload
		for _, name := range []string{"appid", "azp", "client_id"} {
			p = p.with(name, quote(id))
		}
		return f.claims(p.String())
	}
	for _, id := range []string{nobody, contoso, strings.ToUpper(strings.Trim(f.payload.get("appid"), `"`)), "", "*", "../" + nobody, "x"} {
		fam.add("all say "+id, all(id))
	}
	fam.add("sub and oid of another", f.claims(f.payload.with("sub", quote(nobody)).with("oid", quote(nobody)).String()))
	for _, v := range []string{`"1.0"`, `"2"`, `"2.00"`, "2.0", `"v2.0"`} {
		fam.add("ver "+v, f.claim("ver", v))
	}
	for _, iss := range []string{testRoot + "/" + contoso + "/", testRoot + "/" + fabrikam, testRoot + "/common", testRoot, testRoot + "/", contoso, "/" + contoso, testRoot + "/" + contoso + "/v1.0", "https://sts.windows.net/" + contoso + "/"} {
		fam.add("ver 1.0, iss "+iss, f.claims(f.payload.with("ver", `"1.0"`).with("iss", quote(iss)).String()))
	}
	fam.add("ver 2.0, iss of v1.0", f.claim("iss", quote(testRoot+"/"+contoso)))
	for _, v := range []string{`""`, `"user"`, `"App"`, `["app"]`} {
		fam.add("idtyp "+v, f.claim("idtyp", v))
	}
	return fam
}
