package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// An asker is one of the tenant's that asks the API.
type asker struct {
	*walled
	rnd    *rand.Rand
	client *http.Client
	root   string // https://… or http://…
	parts  int    // how many answers the next one stands for
}

// ask asks the API for the tenant in every way until there are the answers that are wanted.
func (w *walls) ask(c *walled, rnd *rand.Rand, k int) {
	a := &asker{c, rnd, w.clients[k%len(w.clients)], "http://" + w.plain, 1}
	if k == 0 {
		a.root = "https://" + w.addr
	}
	// Pages of a batch count as its parts: so most answers come by batches, and yet there are a
	// thousand of each kind in a round.
	ways := []func(){a.batch, a.batch, a.batch, a.page, a.page, a.page, a.nextLink, a.foreignLink, a.foreignFilter, a.foreignCall, a.wrongWay, a.badToken, a.metadata}
	for n := 0; w.asked.Load() < w.want && w.ctx.Err() == nil; n++ {
		ways[rnd.IntN(len(ways))]()
		if n%200 == 0 { // there are 600 a minute for a client
			a.token()
			a.foreignToken()
		}
	}
}

// get asks for something and counts the answer. With must, it is 200 and has the tenant's own.
func (a *asker) get(way, target, token string, must bool, said ...string) (int, []byte) {
	header := []string{"Accept", "application/json"}
	if a.rnd.IntN(2) == 0 {
		header = append(header, "Accept-Encoding", "gzip")
	}
	return a.send(way, http.MethodGet, target, token, must, "", said, header...)
}

func (a *asker) send(way, method, target, token string, must bool, body string, said []string, header ...string) (int, []byte) {
	w := a.wall
	status, answer, head, err := w.send(a.client, method, a.root+target, token, strings.NewReader(body), header...)
	if err != nil {
		if w.ctx.Err() == nil {
			w.wrong("%s: %s %s: %v", way, method, target, err)
		}
		return 0, nil
	}
	if must && status != http.StatusOK || status >= 500 {
		w.wrong("%s: %s %s: status %d: %.300s", way, method, target, status, answer)
	}
	w.answered(a.walled, way, a.parts, must, answer, said...)
	if s := look(fmt.Append(nil, head), a.digit, said...); s.foreign != "" {
		w.wrong("%s: the headers of an answer to %s: %s", way, a.name, s.foreign)
	}
	w.asked.Add(int64(a.parts))
	return status, answer
}

// spelled returns the function in one of its spellings, for the days of the round, without the version.
func (a *asker) spelled() string {
	pick := func(all ...string) string { return all[a.rnd.IntN(len(all))] }
	from, to := a.wall.began.AddDate(0, 0, -3).Format("2006-01-02"), a.wall.began.AddDate(0, 0, 2).Format("2006-01-02")
	quote := pick("", "", "'", "%27")
	list := "fromDateTime=" + quote + from + pick("", "T00:00:00Z", "T00:00Z", "T00:00:00%2B00:00") + quote
	upTo := "toDateTime=" + quote + to + quote
	list = pick(list+","+upTo, upTo+","+list, list+", "+upTo)
	list = strings.ReplaceAll(list, " ", "%20")
	name := pick("", "", "microsoft.graph.callRecords.", "Microsoft.Graph.CallRecords.", "callRecords.") + pick("getDirectRoutingCalls", "GetDirectRoutingCalls", "GETDIRECTROUTINGCALLS")
	return pick("/communications/callRecords/", "/Communications/CallRecords/", "/communications/callrecords/") + name + pick("("+list+")", "("+list+")", "%28"+list+"%29") + pick("", "", "/")
}

func (a *asker) version() string { return []string{"/v1.0", "/beta", "/V1.0"}[a.rnd.IntN(3)] }

// options returns options of a page, all of which leave something of the seeded rows in it.
func (a *asker) options() string {
	all := []string{
		"$top=" + strconv.Itoa(1+a.rnd.IntN(20)), "$skip=" + strconv.Itoa(a.rnd.IntN(100)), "$count=true", "$format=json", "$orderby=startDateTime%20desc",
		"$filter=" + []string{"successfulCall%20eq%20true", "startswith(userDisplayName,'w')", "duration%20ge%200", "callType%20eq%20'ByotIn'%20or%20callType%20eq%20'ByotOut'"}[a.rnd.IntN(4)],
		"$filter=trunkFullyQualifiedDomainName%20eq%20'" + a.trunks[0] + "'", "tenant=" + a.wall.others(a.walled)[0].name,
	}
	a.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	options, top := "", false
	for _, o := range all[:a.rnd.IntN(4)] {
		if strings.HasPrefix(o, "$filter") && strings.Contains(options, "$filter") {
			continue
		}
		top = top || strings.HasPrefix(o, "$top")
		options += "&" + o
	}
	if !top {
		options += "&$top=" + strconv.Itoa(1+a.rnd.IntN(12))
	}
	return "?" + options[1:]
}

func (a *asker) page() {
	_, answer := a.get("a page", a.version()+a.spelled()+a.options(), a.reader, true)
	if _, rest, found := bytes.Cut(answer, []byte(`"@odata.nextLink":"`)); found {
		link, _, _ := bytes.Cut(rest, []byte(`"`))
		if _, target, ok := strings.Cut(strings.TrimPrefix(string(link), "https://"), "/"); ok {
			a.mu.Lock()
			a.link = "/" + strings.TrimPrefix(strings.TrimPrefix(target, "http://"), "/")
			a.mu.Unlock()
		}
	}
}

// lastLink returns the newest nextLink of a tenant's, without the host.
func (c *walled) lastLink() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link
}

func (a *asker) nextLink() {
	if link := a.lastLink(); link != "" {
		a.get("a nextLink", link, a.reader, false)
	}
}

func (a *asker) other() *walled { return a.wall.others(a.walled)[a.rnd.IntN(len(a.wall.tenants)-1)] }

// foreignLink follows another tenant's nextLink, or asks for a page of its own with the other's token of a place.
func (a *asker) foreignLink() {
	link := a.other().lastLink()
	if link == "" {
		return
	}
	if _, token, _ := strings.Cut(link, "$skiptoken="); a.rnd.IntN(2) == 0 {
		link = a.version() + a.spelled() + "?$top=5&$skiptoken=" + token
	}
	if status, answer := a.get("a foreign nextLink", link, a.reader, false); strings.Contains(link, "skiptoken") && status != http.StatusBadRequest && a.wall.ctx.Err() == nil {
		a.wall.wrong("another tenant's nextLink %s: status %d: %.300s", link, status, answer)
	}
}

// foreignFilter asks for the other's calls by what is known of them.
func (a *asker) foreignFilter() {
	o := a.other()
	r := o.someCall(a.rnd)
	field, value := "id", r.ID.String()
	switch a.rnd.IntN(5) {
	case 0:
		field, value = "correlationId", r.CorrelationID.String()
	case 1:
		field, value = "callerNumber", "'"+r.Caller+"'"
	case 2:
		field, value = "trunkFullyQualifiedDomainName", "'"+o.trunks[0]+"'"
	case 3:
		field, value = "userId", r.UserID.String()
	}
	said := strings.Trim(value, "'")
	if !strings.Contains(said, canaryMark) {
		return // it is shared, so the tenant may have it, too
	}
	status, answer := a.get("a filter by foreign values", a.version()+a.spelled()+"?$top=5&$filter="+url.QueryEscape(field+" eq "+value), a.reader, false, said, url.QueryEscape(said), strings.TrimPrefix(said, "+"))
	if status == http.StatusOK && !bytes.Contains(answer, []byte(`"value":[]`)) {
		a.wall.wrong("%s eq %s, which is another tenant's, finds %.300s", field, value, answer)
	}
}

// someCall returns a call of the tenant's that was told.
func (c *walled) someCall(rnd *rand.Rand) call.Row {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told[rnd.IntN(len(c.told))].row
}

// foreignCall asks for single calls of the other's, and for the other by its id in the path.
func (a *asker) foreignCall() {
	o := a.other()
	id, tenant := o.someCall(a.rnd).ID.String(), o.id.String()
	target := []string{
		"/v1.0/communications/callRecords/" + id, "/beta/communications/callRecords('" + id + "')", "/v1.0/communications/callRecords/" + id + "/sessions",
		"/" + tenant + "/v1.0" + a.spelled(), "/v1.0/" + tenant + a.spelled(), "/v1.0/tenants/" + tenant + a.spelled(), "/v1.0" + a.spelled() + "/" + id,
		"/" + tenant + "/v2.0/.well-known/openid-configuration", "/" + tenant + "/discovery/v2.0/keys", "/v1.0/communications/calls/" + id,
	}[a.rnd.IntN(10)]
	a.get("a foreign path", target, a.reader, false, id, tenant)
}

// wrongWay asks for what is not there, or by a method that is not possible.
func (a *asker) wrongWay() {
	target := []string{
		"/", "/v1.0/communications", "/v1.0/users", "/favicon.ico", "/ingest/v1/calls", "/metrics", "/v1.0/communications/callRecords",
		"/v1.0" + a.spelled() + "?$filter=x", "/v1.0" + a.spelled() + "?$top=-1", "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=soon)",
		"/v1.0/communications/callRecords/getPstnCalls(fromDateTime=2026-10-01,toDateTime=2026-10-02)", "/beta" + a.spelled() + "?$select=id,callerNumber&$top=2",
	}[a.rnd.IntN(12)]
	method := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}[a.rnd.IntN(7)]
	a.send("errors and other methods", method, target, a.reader, false, "", nil, "Content-Type", "application/json")
}

// badToken asks without a token, with one that is spoilt, or with one that may only deliver.
func (a *asker) badToken() {
	token := []string{"", a.reader[:len(a.reader)-6] + "AAAAAA", a.pusher, "nonsense"}[a.rnd.IntN(4)]
	status, answer := a.get("a bad token", a.version()+a.spelled()+"?$top=5", token, false)
	if status != http.StatusUnauthorized && status != http.StatusForbidden && a.wall.ctx.Err() == nil {
		a.wall.wrong("a bad token: status %d: %.300s", status, answer)
	}
}

func (a *asker) metadata() {
	target := []string{"/v1.0/$metadata", "/beta/$metadata", "/v1.0", "/" + a.name + "/v2.0/.well-known/openid-configuration", "/" + a.id.String() + "/discovery/v2.0/keys", "/common/discovery/v2.0/keys"}
	a.get("metadata and discovery", target[a.rnd.IntN(len(target))], "", false)
}

// token asks for a token with the tenant's own secret, and foreignToken with it of the other.
func (a *asker) token() {
	a.send("the token endpoint", http.MethodPost, "/"+a.id.String()+"/oauth2/v2.0/token", "", true, a.form(), nil, "Content-Type", "application/x-www-form-urlencoded")
}

func (a *asker) foreignToken() {
	o := a.other()
	status, answer := a.send("the foreign token endpoint", http.MethodPost, "/"+o.id.String()+"/oauth2/v2.0/token", "", false, a.form(), []string{o.id.String()}, "Content-Type", "application/x-www-form-urlencoded")
	if status < 400 && a.wall.ctx.Err() == nil {
		a.wall.wrong("a client of %s gets a token of %s: %d %.200s", a.name, o.name, status, answer)
	}
}

func (a *asker) form() string {
	c := a.signIn
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "scope": {"https://graph.microsoft.com/.default"}}.Encode()
}

// batch asks for 20 things at once, some of which are the other's, and brings its token along.
func (a *asker) batch() {
	o := a.other()
	type step struct {
		ID      string            `json:"id"`
		Method  string            `json:"method"`
		URL     string            `json:"url"`
		Headers map[string]string `json:"headers"`
	}
	var steps []step
	var said []string
	own := 0
	for i := range 20 {
		target := a.spelled() + a.options()
		switch a.rnd.IntN(8) {
		case 0:
			if link := o.lastLink(); link != "" {
				target = link[strings.Index(link[1:], "/")+1:]
			}
		case 1:
			if r := o.someCall(a.rnd); strings.Contains(r.Caller, canaryMark) {
				target = a.spelled() + "?$top=2&$filter=" + url.QueryEscape("callerNumber eq '"+r.Caller+"'")
				said = append(said, r.Caller, url.QueryEscape(r.Caller), strings.TrimPrefix(r.Caller, "+"))
			}
		case 2:
			id := o.someCall(a.rnd).ID.String()
			target, said = "/communications/callRecords/"+id, append(said, id)
		case 3:
			target = "/$metadata"
		default:
			own++
		}
		steps = append(steps, step{strconv.Itoa(i), "GET", target, map[string]string{"Authorization": "Bearer " + o.reader}})
	}
	body, err := json.Marshal(map[string]any{"requests": steps})
	if err != nil {
		a.wall.wrong("%v", err)
		return
	}
	a.parts = len(steps)
	status, answer := a.send("$batch", http.MethodPost, a.version()+"/$batch", a.reader, true, string(body), said, "Content-Type", "application/json")
	a.parts = 1
	if status != http.StatusOK {
		return
	}
	if n := bytes.Count(answer, []byte(`"status":200`)); n < own {
		a.wall.wrong("of %d parts that ask for the tenant's own, %d are 200: %.500s", own, n, answer)
	}
}
