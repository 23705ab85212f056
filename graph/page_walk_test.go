package graph

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// moved returns a row with another start, as Graph corrects itself.
func moved(r call.Row, by time.Duration) call.Row {
	r.Start, r.Invite = r.Start.Add(by), r.Invite.Add(by)
	if !r.End.IsZero() {
		r.End = r.End.Add(by)
	}
	if !r.Failure.IsZero() {
		r.Failure = r.Failure.Add(by)
	}
	return r
}

// TestWalkOverMoves moves rows to and fro between any two pages, across the place where the client
// is, and out of the window and back. The client reads each once.
func TestWalkOverMoves(t *testing.T) {
	for _, query := range []string{"?$top=10", "?$top=10&$orderby=startDateTime%20desc", "?$top=7&$filter=callerNumber%20ne%20'x'"} {
		store := storetest.NewModel()
		var rows []call.Row
		for i := range 60 {
			rows = append(rows, numbered(t, i))
		}
		put(t, store, rows...)
		h := New(testConfig(store))
		met, path := map[any]int{}, reference+query
		for step := 1; path != ""; step++ {
			a := page(t, get(t, h, path))
			for _, r := range a.Value {
				met[r["id"]]++
			}
			if path = ""; a.Next != "" {
				path = local(t, a.Next)
			}
			for i := range rows {
				switch (i + step) % 4 {
				case 0:
					put(t, store, moved(rows[i], time.Duration(step)*17*time.Second))
				case 1:
					put(t, store, moved(rows[i], -365*24*time.Hour)) // out of the window
				case 2:
					put(t, store, moved(rows[i], -time.Duration(step)*11*time.Second))
				}
			}
		}
		for i := range rows {
			if n := met[rows[i].ID.String()]; n != 1 {
				t.Errorf("%s: row %d came %d times", query, i, n)
			}
		}
	}
}

// TestFirstReleaseToken follows a link of the first release, which does not say when its walk
// began.
func TestFirstReleaseToken(t *testing.T) {
	store := filled(t, 30)
	conf := testConfig(store)
	h := New(conf)
	a := page(t, get(t, h, reference+"?$top=10"))
	now, err := base64.RawURLEncoding.DecodeString(tokenOf(t, a.Next))
	if err != nil {
		t.Fatal(err)
	}
	s := &scope{
		tenant: testTenant, from: call.Ticks(instant(t, "2019-11-01T00:00:00Z")), to: call.Ticks(instant(t, "2019-12-01T00:00:00Z")),
	}
	old := append([]byte{firstVersion}, now[1:firstPayload]...)
	old = append(old, s.mac(conf.Key, old)[:tokenMAC]...)
	link := reference + "?$top=10&$skip=10&$skiptoken=" + base64.RawURLEncoding.EncodeToString(old)
	next := page(t, get(t, h, link))
	if len(next.Value) != 10 || next.Value[0]["userDisplayName"] != "User 10" && next.Value[0]["userDisplayName"] != "User 9" || next.Next == "" {
		t.Errorf("%d rows from %v on, link %q", len(next.Value), next.Value[0]["userDisplayName"], next.Next)
	}
}

// TestWalkIsGone follows links after an operator has restored an earlier state of the log, and a
// link that names a later version than the log has.
func TestWalkIsGone(t *testing.T) {
	store := filled(t, 30)
	conf := testConfig(store)
	h := New(conf)
	link := local(t, page(t, get(t, h, reference+"?$top=10")).Next)
	token := tokenOf(t, link)
	s := &scope{
		tenant: testTenant, from: call.Ticks(instant(t, "2019-11-01T00:00:00Z")), to: call.Ticks(instant(t, "2019-12-01T00:00:00Z")),
	}
	good, err := parseToken(token, conf.Key, s)
	if err != nil {
		t.Fatal(err)
	}
	good.walk.Number++
	future := strings.Replace(link, token, string(appendToken(nil, conf.Key, good, s)), 1)
	if err := store.NewEpoch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"restored": link, "from the future": future} {
		w := get(t, h, path)
		if _, message := failed(t, w); w.Code != http.StatusBadRequest || !strings.Contains(message, "cut or restored") {
			t.Errorf("%s: status %d, %s", name, w.Code, message)
		}
	}
}
