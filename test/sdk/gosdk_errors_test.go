package sdk

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"
)

// expectError checks that err is the SDK's own type, with all that a program
// may look at. A missing message would make Error panic.
func expectError(t *testing.T, err error, status int, code string) *odataerrors.ODataError {
	t.Helper()
	var e *odataerrors.ODataError
	if !errors.As(err, &e) {
		t.Fatalf("%d came as %T: %v", status, err, err)
	}
	body := e.GetErrorEscaped()
	if body == nil || body.GetMessage() == nil || body.GetCode() == nil {
		t.Fatalf("%d has no error, code or message", status)
	}
	if e.GetStatusCode() != status || *body.GetCode() != code {
		t.Errorf("got %d %s: %s; want %d %s", e.GetStatusCode(), *body.GetCode(), e.Error(), status, code)
	}
	inner := body.GetInnerError()
	if inner == nil || inner.GetRequestId() == nil || inner.GetClientRequestId() == nil || inner.GetDate() == nil {
		t.Fatalf("%d has no innerError with both request ids and a date", status)
	}
	if age := time.Since(*inner.GetDate()); age < -time.Minute || age > time.Minute {
		t.Errorf("%d says that it is of %v", status, inner.GetDate())
	}
	if ids := e.GetResponseHeaders().Get("request-id"); len(ids) != 1 || ids[0] != *inner.GetRequestId() {
		t.Errorf("%d has request-id %q in the header and %q in the body", status, ids, *inner.GetRequestId())
	}
	return e
}

func TestGoSDKErrors(t *testing.T) {
	t.Parallel()
	h := newHouse(t, generate(t, 10, 1))
	s := h.serve(t)
	token := h.token(t, h.reader)

	t.Run("a token that was printed", func(t *testing.T) {
		if _, err := newGoSDK(t, s, byToken(token), "v1.0").first(t, nil); err != nil {
			t.Fatal(err)
		}
	})
	for name, bad := range map[string]string{"forged token": forge(token), "no token at all": "opaque", "a token cut short": token[:len(token)-20]} {
		t.Run("401 "+name, func(t *testing.T) {
			g := newGoSDK(t, s, byToken(bad), "v1.0")
			_, err := g.first(t, nil)
			if e := expectError(t, err, 401, "InvalidAuthenticationToken"); e.Error() == "" {
				t.Error("the message is empty")
			}
			if n := len(g.wire.exchanges()); n != 1 {
				t.Errorf("it took %d requests: the challenge must not look like one for other claims", n)
			}
		})
	}
	t.Run("403 without the role", func(t *testing.T) {
		_, err := newGoSDK(t, s, s.bySecret(t, h.feeder), "v1.0").first(t, nil)
		expectError(t, err, 403, "Forbidden")
	})

	reader := newGoSDK(t, s, s.bySecret(t, h.reader), "v1.0")
	t.Run("400 filter", func(t *testing.T) {
		filter := "colour eq 'red'"
		_, err := reader.first(t, &sdkConfig{QueryParameters: &sdkQuery{Filter: &filter}})
		if e := expectError(t, err, 400, "BadRequest"); !strings.Contains(e.Error(), "colour") {
			t.Errorf("the message %q does not name what was wrong", e.Error())
		}
	})
	t.Run("400 dates", func(t *testing.T) {
		url := s.url + "/v1.0/communications/callRecords/microsoft.graph.callRecords.getDirectRoutingCalls(fromDateTime=soon,toDateTime=later)"
		_, err := reader.calls().WithUrl(url).GetAsGetDirectRoutingCallsWithFromDateTimeWithToDateTimeGetResponse(t.Context(), nil)
		expectError(t, err, 400, "BadRequest")
	})
	t.Run("400 page link", func(t *testing.T) {
		url := s.url + "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=2026-09-01,toDateTime=2026-11-01)?$skip=1000&$skiptoken=bm90IGEgdG9rZW4"
		_, err := reader.calls().WithUrl(url).GetAsGetDirectRoutingCallsWithFromDateTimeWithToDateTimeGetResponse(t.Context(), nil)
		expectError(t, err, 400, "BadRequest")
	})
}

// What is wrong with a client is told by the token endpoint, in the words that
// azidentity reads.
func TestGoSDKCannotSignIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	s := h.serve(t)
	wrong := h.reader
	wrong.ClientSecret += "x"
	unknown := h.reader
	unknown.ClientID = "00000000-0000-4000-8000-000000000001"
	stranger := newKeyPair(t)
	cert, err := azidentity.NewClientCertificateCredential(tenantID, h.reader.ClientID, stranger.chain(), stranger.Key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: s.identity(t), DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, cred := range map[string]azcore.TokenCredential{
		"wrong secret": s.bySecret(t, wrong), "unknown client": s.bySecret(t, unknown), "unknown certificate": cert,
	} {
		_, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: scopes})
		var failed *azidentity.AuthenticationFailedError
		if !errors.As(err, &failed) {
			t.Errorf("%s came as %T: %v", name, err, err)
			continue
		}
		if failed.RawResponse == nil || failed.RawResponse.StatusCode/100 != 4 || !strings.Contains(err.Error(), "AADSTS") {
			t.Errorf("%s says: %v", name, err)
		}
	}
}

func TestGoSDKStrictRange(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	s := h.serve(t, "--strict")
	g := newGoSDK(t, s, s.bySecret(t, h.reader), "v1.0")
	url := s.url + "/v1.0/communications/callRecords/microsoft.graph.callRecords.getDirectRoutingCalls(fromDateTime=2026-01-01,toDateTime=2026-06-01)"
	_, err := g.calls().WithUrl(url).GetAsGetDirectRoutingCallsWithFromDateTimeWithToDateTimeGetResponse(t.Context(), nil)
	expectError(t, err, 406, "NotAcceptable")
}

func TestGoSDKThrottled(t *testing.T) {
	t.Parallel()
	rows := generate(t, 6, 1)
	h := newHouse(t, rows)
	s := h.serve(t, "--rate-limit", "4") // one more every 5 s: a busy machine is faster than that, too

	g := newGoSDK(t, s, s.bySecret(t, h.reader), "v1.0")
	t.Run("waits and gets every row", func(t *testing.T) {
		tally := newTally(rows)
		if err := g.walk(t, top(1), func(r sdkRow) bool {
			tally.saw(t, place(t, r))
			return true
		}); err != nil {
			t.Fatal(err)
		}
		tally.check(t)
		log := g.wire.exchanges()
		throttled := 0
		for i, e := range log {
			if e.status == 429 {
				throttled++
				checkWait(t, e, log[i+1])
			}
		}
		if throttled == 0 {
			t.Errorf("none of %d requests was throttled", len(log))
		}
	})
	t.Run("429 is typed", func(t *testing.T) {
		var err error
		for range 40 {
			if _, err = g.first(t, noRetry()); err != nil {
				break
			}
		}
		e := expectError(t, err, 429, "TooManyRequests")
		checkRetryAfter(t, e.GetResponseHeaders().Get("Retry-After"))
	})
	t.Run("others are not meant", func(t *testing.T) {
		if _, err := newGoSDK(t, s, s.bySecret(t, h.newClient(t, "other")), "v1.0").first(t, noRetry()); err != nil {
			t.Errorf("another client: %v", err)
		}
	})
}

func TestGoSDKUnavailable(t *testing.T) {
	t.Parallel()
	h := newHouse(t, generate(t, 10, 1))
	s := h.serve(t, "--page-timeout", "1ns")
	g := newGoSDK(t, s, s.bySecret(t, h.reader), "v1.0")
	_, err := g.first(t, noRetry())
	e := expectError(t, err, 503, "serviceNotAvailable")
	checkRetryAfter(t, e.GetResponseHeaders().Get("Retry-After"))

	// By default the SDK tries three times more, as late as it was told to.
	g = newGoSDK(t, s, s.bySecret(t, h.reader), "v1.0")
	_, err = g.first(t, nil)
	expectError(t, err, 503, "serviceNotAvailable")
	log := g.wire.exchanges()
	if len(log) != 4 {
		t.Fatalf("%d requests were sent, want 4", len(log))
	}
	for i := range 3 {
		checkWait(t, log[i], log[i+1])
	}
}

// A host that was not named to the SDK is sent no token. The answer helps to
// find that out.
func TestGoSDKSendsNoToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	s := h.serve(t)
	g := newGoSDK(t, s, s.bySecret(t, h.reader), "v1.0")
	g.adapter.SetBaseUrl(strings.Replace(s.url, "localhost", "127.0.0.1", 1) + "/v1.0")
	_, err := g.first(t, nil)
	expectError(t, err, 401, "InvalidAuthenticationToken")
	if log := g.wire.exchanges(); log[0].signedIn {
		t.Error("the SDK did send a token: this test is out of date")
	}
}

func TestGoSDKStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	h := newHouse(t, generate(t, 10, 1))
	s := h.serve(t, "--page-timeout", "1ns")
	g := newGoSDK(t, s, s.bySecret(t, h.reader), "v1.0")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // it is told to wait for two
	defer cancel()
	_, err := g.calls().GetAsGetDirectRoutingCallsWithFromDateTimeWithToDateTimeGetResponse(ctx, nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call that was given up while it waited ended with %v", err)
	}
}

// checkRetryAfter checks that a client of any language can read the header:
// one whole number of seconds, not 0.
func checkRetryAfter(t *testing.T, values []string) {
	t.Helper()
	if len(values) != 1 {
		t.Errorf("Retry-After is there %d times", len(values))
		return
	}
	if n, err := strconv.Atoi(values[0]); err != nil || n < 1 || n > 60 {
		t.Errorf("Retry-After is %q", values[0])
	}
}

// checkWait checks that the next request came as late as it was told to, and
// says that it is a repeat.
func checkWait(t *testing.T, e, next exchange) {
	t.Helper()
	checkRetryAfter(t, []string{e.retryAfter})
	seconds, _ := strconv.Atoi(e.retryAfter)
	if waited := next.at.Sub(e.at); waited < time.Duration(seconds)*time.Second {
		t.Errorf("Retry-After: %d, and the next request came after %v", seconds, waited)
	}
	if next.url != e.url || next.attempt == "" {
		t.Errorf("%s is followed by %s, attempt %q", e.url, next.url, next.attempt)
	}
}
