package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/source/push"
)

// graphJSON returns a row as Graph writes it, without what is not known.
func graphJSON(r *call.Row) string {
	fields := map[string]any{
		"id": r.ID.String(), "userId": r.UserID.String(), "userPrincipalName": r.UserPrincipalName, "userDisplayName": r.UserDisplayName,
		"callType": r.CallType, "successfulCall": r.Successful, "callerNumber": r.Caller, "calleeNumber": r.Callee, "duration": r.Duration,
		"finalSipCode": r.FinalSIPCode, "finalSipCodePhrase": r.FinalSIPPhrase, "trunkFullyQualifiedDomainName": r.Trunk,
	}
	if !r.CorrelationID.IsZero() {
		fields["correlationId"] = r.CorrelationID.String()
	}
	for name, at := range map[string]time.Time{"inviteDateTime": r.Invite, "startDateTime": r.Start, "endDateTime": r.End, "failureDateTime": r.Failure} {
		if !at.IsZero() {
			fields[name] = at.Format(time.RFC3339Nano)
		}
	}
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// record returns a call as a record of it, which may share with another tenant's what names it:
// its numbers and times, its id, its correlation id or that it has none, and a trunk of the
// other's that it claims.
func (c *walled) record(rnd *rand.Rand) call.Row {
	if rnd.IntN(2) == 0 {
		return c.newCall(rnd, rnd.IntN(2) == 0, c.trunks[rnd.IntN(2)], nil)
	}
	f := c.wall.common.of(rnd, c.digit)
	r := c.newCall(rnd, rnd.IntN(2) == 0, c.trunks[rnd.IntN(2)], f)
	switch rnd.IntN(4) {
	case 0:
		r.CorrelationID = call.GUID{}
	case 1:
		r.ID = f.guid("id")
	case 2:
		r.Trunk = c.wall.others(c)[rnd.IntN(2)].plain
	}
	return r
}

// seedRows delivers rows that each answer has some of.
func (c *walled) seedRows() {
	rnd := c.wall.rnd(uint64(10 + c.digit))
	var rows []string
	for range 300 {
		r := c.newCall(rnd, rnd.IntN(2) == 0, c.trunks[0], nil)
		c.expect("POST", &r, true, false)
		rows = append(rows, graphJSON(&r))
	}
	if status, answer := c.post(rows, ""); status != http.StatusOK {
		c.wall.Fatalf("status %d: %s", status, answer)
	}
}

// post delivers lines by the tenant's collector.
func (c *walled) post(lines []string, query string, header ...string) (int, []byte) {
	w := c.wall
	status, answer, _, err := w.send(w.clients[0], http.MethodPost, "https://"+w.addr+push.Path+query, c.pusher, strings.NewReader(strings.Join(lines, "\n")),
		append([]string{"Content-Type", "application/x-ndjson"}, header...)...)
	if err != nil && w.ctx.Err() == nil {
		w.wrong("POST: %v", err)
	}
	return status, answer
}

// deliverAll has each tenant deliver by POST, in every form.
func (w *walls) deliverAll() {
	var all sync.WaitGroup
	for i, c := range w.tenants {
		all.Go(func() {
			rnd := w.rnd(uint64(500 + i))
			for n := 0; w.pace(n, 30+int(w.want/1000)); n++ {
				c.deliver(rnd, n)
			}
		})
	}
	all.Wait()
}

// deliver delivers once: records, rows of Microsoft's, parts of a call, or word of a restart, of a
// trunk of another's too.
func (c *walled) deliver(rnd *rand.Rand, n int) {
	var lines, header []string
	way, query := "POST", ""
	switch kind := rnd.IntN(6); kind {
	case 0:
		r := c.newCall(rnd, true, c.trunks[0], nil)
		way = "POST in parts"
		name := fmt.Sprintf(`{"event":"partial","call":"both-%d",`, n) // the others' calls are called so, too
		lines = []string{
			name + fmt.Sprintf(`"inviteDateTime":%q,"callerNumber":%q,"correlationId":%q}`, r.Invite.Format(time.RFC3339Nano), r.Caller, r.CorrelationID),
			name + fmt.Sprintf(`"calleeNumber":%q,"trunkFullyQualifiedDomainName":%q,"endDateTime":%q,"done":true}`, r.Callee, r.Trunk, r.Invite.Add(time.Minute).Format(time.RFC3339Nano)),
		}
		c.expect(way, &r, true, false)
	case 1:
		for _, o := range c.wall.others(c) {
			lines = append(lines, fmt.Sprintf(`{"event":"restart","trunkFullyQualifiedDomainName":%q}`, o.trunks[0]), fmt.Sprintf(`{"event":"restart","trunkFullyQualifiedDomainName":%q}`, o.plain))
		}
	default:
		if kind == 2 {
			way, query = "POST of Graph's rows", "?kind=graph"
		}
		for range 1 + rnd.IntN(8) {
			r := c.record(rnd)
			c.expect(way, &r, true, false)
			lines = append(lines, graphJSON(&r))
		}
		if kind == 3 {
			header = []string{"Idempotency-Key", "key-" + strconv.Itoa(n)} // as the others
		}
	}
	status, answer := c.post(lines, query, header...)
	said := []string{}
	for _, o := range c.wall.others(c) {
		said = append(said, o.trunks[0])
	}
	c.wall.answered(c, "POST", 1, false, answer, said...)
	if status != http.StatusOK && c.wall.ctx.Err() == nil {
		c.wall.wrong("%s: status %d: %s", way, status, answer)
	}
}

// importAll imports beside the server, in every format, for a tenant that is named and for those
// whose trunks are in one file.
func (w *walls) importAll() {
	rnd := w.rnd(600)
	dir := w.TempDir()
	for n := 0; w.pace(n, 6+int(w.want/8000)); n++ {
		c := w.tenants[rnd.IntN(len(w.tenants))]
		format := []string{"graph", "teams", "hep", "auto", "pcap"}[n%5]
		args := []string{"import", format, "--data", w.data}
		of, way := []*walled{c}, "import "+format
		if rnd.IntN(2) == 0 && format != "pcap" {
			of, way = w.tenants, way+" by trunk"
		} else {
			args = append(args, "--tenant", c.name)
		}
		file := filepath.Join(dir, strconv.Itoa(n))
		if err := os.WriteFile(file, w.file(rnd, format, way, of), 0o600); err != nil {
			w.wrong("%v", err)
			return
		}
		if format == "hep" || format == "pcap" {
			args = append(args, "--keep-sip", "30d")
		}
		// What a command says of an import is the operator's, and no tenant's.
		w.clean(way, []byte(w.must(append(args, "-o", "json", file)...)))
	}
}

// file returns what a file of a format holds of the tenants' calls.
func (w *walls) file(rnd *rand.Rand, format, way string, of []*walled) []byte {
	var rows []call.Row
	var b bytes.Buffer
	for _, c := range of {
		for range 5 {
			r := c.newCall(rnd, rnd.IntN(2) == 0, c.trunks[0], nil)
			c.expect(way, &r, true, format == "hep" || format == "pcap")
			rows = append(rows, r)
			if format == "hep" {
				b.Write(bytes.Join(c.packets(rnd, &r, "", false, ""), nil))
			}
		}
	}
	switch format {
	case "teams":
		t := csv.NewWriter(&b)
		_ = t.Write(strings.Split("CorrelationId,AAD ObjectId,UPN,Display Name,Invite time,Start time,End time,Duration (seconds),Success,Caller Number,Callee Number,Call type,Final SIP code,Final SIP Phrase,SBC FQDN", ","))
		for _, r := range rows {
			ends := ""
			if r.Successful {
				ends = r.End.Format(time.RFC3339)
			}
			typ := map[string]string{"ByotIn": "dr_in", "ByotOut": "dr_out"}[r.CallType]
			_ = t.Write([]string{
				r.CorrelationID.String(), r.UserID.String(), r.UserPrincipalName, r.UserDisplayName, r.Invite.Format(time.RFC3339), r.Start.Format(time.RFC3339), ends,
				strconv.Itoa(int(r.Duration)), map[bool]string{true: "Yes", false: "No"}[r.Successful], r.Caller, r.Callee, typ, strconv.Itoa(int(r.FinalSIPCode)), r.FinalSIPPhrase, r.Trunk,
			})
		}
		t.Flush()
	case "graph", "auto":
		for _, r := range rows {
			fmt.Fprintln(&b, graphJSON(&r))
		}
	case "pcap":
		return capture(of[0], rows)
	}
	return b.Bytes()
}

// send sends a request and returns its answer, unpacked.
func (w *walls) send(client *http.Client, method, url, token string, body io.Reader, header ...string) (status int, answer []byte, head http.Header, err error) {
	req, err := http.NewRequestWithContext(w.ctx, method, url, body)
	if err != nil {
		return 0, nil, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer res.Body.Close()
	in := io.Reader(res.Body)
	if res.Header.Get("Content-Encoding") == "gzip" {
		if in, err = gzip.NewReader(in); err != nil {
			return 0, nil, nil, err
		}
	}
	answer, err = io.ReadAll(in)
	return res.StatusCode, answer, res.Header, err
}
