package sdk

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	kiotahttp "github.com/microsoft/kiota-http-go"
	graphcore "github.com/microsoftgraph/msgraph-sdk-go-core"
	graphauth "github.com/microsoftgraph/msgraph-sdk-go-core/authentication"
	"github.com/microsoftgraph/msgraph-sdk-go/communications"
	"github.com/microsoftgraph/msgraph-sdk-go/models/callrecords"
)

// The generated names of msgraph-sdk-go are long.
type (
	sdkRow     = callrecords.DirectRoutingLogRowable
	sdkPage    = communications.CallRecordsMicrosoftGraphCallRecordsGetDirectRoutingCallsWithFromDateTimeWithToDateTimeGetDirectRoutingCallsWithFromDateTimeWithToDateTimeGetResponseable
	sdkRequest = communications.CallRecordsMicrosoftGraphCallRecordsGetDirectRoutingCallsWithFromDateTimeWithToDateTimeRequestBuilder
	sdkConfig  = communications.CallRecordsMicrosoftGraphCallRecordsGetDirectRoutingCallsWithFromDateTimeWithToDateTimeRequestBuilderGetRequestConfiguration
	sdkQuery   = communications.CallRecordsMicrosoftGraphCallRecordsGetDirectRoutingCallsWithFromDateTimeWithToDateTimeRequestBuilderGetQueryParameters
)

var newSDKPage = communications.CreateCallRecordsMicrosoftGraphCallRecordsGetDirectRoutingCallsWithFromDateTimeWithToDateTimeGetDirectRoutingCallsWithFromDateTimeWithToDateTimeGetResponseFromDiscriminatorValue

// A goSDK is msgraph-sdk-go as a program would use it, and a note of what goes
// over the wire below it.
type goSDK struct {
	adapter *graphcore.GraphRequestAdapterBase
	wire    *wire
}

// scopes ask for all that the client has been granted.
var scopes = []string{"api://trunklog/.default"}

// newGoSDK returns a client of the server that signs in with cred. The root is
// v1.0 or beta.
func newGoSDK(t *testing.T, s *server, cred azcore.TokenCredential, root string) *goSDK {
	t.Helper()
	provider, err := graphauth.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(cred, scopes, []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	return newSDK(t, provider, s.transport(t), s.url+"/"+root)
}

// newMicrosoftSDK returns a client of Microsoft's Graph, as it is without any option.
func newMicrosoftSDK(t *testing.T, cred azcore.TokenCredential) *goSDK {
	t.Helper()
	provider, err := graphauth.NewAzureIdentityAuthenticationProvider(cred)
	if err != nil {
		t.Fatal(err)
	}
	return newSDK(t, provider, http.DefaultTransport, "https://graph.microsoft.com/v1.0")
}

func newSDK(t *testing.T, provider authentication.AuthenticationProvider, next http.RoundTripper, root string) *goSDK {
	t.Helper()
	options := graphcore.GraphClientOptions{GraphServiceLibraryVersion: "1.89.0"}
	w := &wire{next: next}
	httpClient := graphcore.GetDefaultClient(&options)
	httpClient.Transport = kiotahttp.NewCustomTransportWithParentTransport(w, graphcore.GetDefaultMiddlewaresWithOptions(&options)...)
	adapter, err := graphcore.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(provider, options, nil, nil, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	adapter.SetBaseUrl(root)
	return &goSDK{adapter, w}
}

// identity returns the options by which azidentity finds the server.
func (s *server) identity(t *testing.T) azcore.ClientOptions {
	return azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: s.url},
		Transport: &http.Client{Transport: s.transport(t)},
		Retry:     policy.RetryOptions{MaxRetries: -1},
	}
}

// bySecret is a credential of azidentity.
func (s *server) bySecret(t *testing.T, c client) azcore.TokenCredential {
	t.Helper()
	cred, err := azidentity.NewClientSecretCredential(c.TenantID, c.ClientID, c.ClientSecret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: s.identity(t), DisableInstanceDiscovery: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

// byToken is a credential that presents a token as it is.
type byToken string

func (b byToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(b), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// calls is the typed request for the whole range.
func (g *goSDK) calls() *sdkRequest {
	from, to := rangeFrom, rangeTo
	return communications.NewCommunicationsRequestBuilderInternal(map[string]string{}, g.adapter).
		CallRecords().MicrosoftGraphCallRecordsGetDirectRoutingCallsWithFromDateTimeWithToDateTime(&from, &to)
}

// first fetches the first page.
func (g *goSDK) first(t *testing.T, config *sdkConfig) (sdkPage, error) {
	return g.calls().GetAsGetDirectRoutingCallsWithFromDateTimeWithToDateTimeGetResponse(t.Context(), config)
}

// walk fetches all pages and hands each row to see, until see returns false.
func (g *goSDK) walk(t *testing.T, config *sdkConfig, see func(sdkRow) bool) error {
	page, err := g.first(t, config)
	if err != nil {
		return err
	}
	pages, err := graphcore.NewPageIterator[sdkRow](page, g.adapter, newSDKPage)
	if err != nil {
		return err
	}
	if config != nil {
		pages.SetReqOptions(config.Options)
	}
	return pages.Iterate(t.Context(), see)
}

// noRetry makes the SDK report 429 and 503 at once.
func noRetry() *sdkConfig {
	return &sdkConfig{Options: []abstractions.RequestOption{&kiotahttp.RetryHandlerOptions{
		ShouldRetry: func(time.Duration, int, *http.Request, *http.Response) bool { return false },
	}}}
}

// top asks for pages of n rows.
func top(n int32) *sdkConfig { return &sdkConfig{QueryParameters: &sdkQuery{Top: &n}} }

// A wire notes each request of a client, with its answer.
type wire struct {
	next http.RoundTripper
	mu   sync.Mutex
	log  []exchange
}

// An exchange is one request and its answer.
type exchange struct {
	url        string
	signedIn   bool   // there was a token
	attempt    string // Retry-Attempt, as the SDK counts
	proto      string
	status     int
	gzip       bool
	retryAfter string
	at         time.Time // when the request was sent
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	e := exchange{url: req.URL.String(), signedIn: req.Header.Get("Authorization") != "", attempt: req.Header.Get("Retry-Attempt"), at: time.Now()}
	resp, err := w.next.RoundTrip(req)
	if err == nil {
		e.proto, e.status, e.gzip, e.retryAfter = resp.Proto, resp.StatusCode, resp.Uncompressed, resp.Header.Get("Retry-After")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, e)
	return resp, err
}

func (w *wire) exchanges() []exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]exchange(nil), w.log...)
}

// A graphRow is a row of /v1.0, to compare what the SDK read with what was
// generated.
type graphRow struct {
	ID                            *string
	CorrelationID                 *string
	UserID                        *string
	UserPrincipalName             *string
	UserDisplayName               *string
	StartDateTime                 *time.Time
	InviteDateTime                *time.Time
	FailureDateTime               *time.Time
	EndDateTime                   *time.Time
	Duration                      *int32
	CallType                      *string
	SuccessfulCall                *bool
	CallerNumber                  *string
	CalleeNumber                  *string
	MediaPathLocation             *string
	SignalingLocation             *string
	FinalSipCode                  *int32
	CallEndSubReason              *int32
	FinalSipCodePhrase            *string
	TrunkFullyQualifiedDomainName *string
	MediaBypassEnabled            *bool
}

func readBySDK(r sdkRow) graphRow {
	return graphRow{
		r.GetId(), r.GetCorrelationId(), r.GetUserId(), r.GetUserPrincipalName(), r.GetUserDisplayName(),
		r.GetStartDateTime(), r.GetInviteDateTime(), r.GetFailureDateTime(), r.GetEndDateTime(), r.GetDuration(),
		r.GetCallType(), r.GetSuccessfulCall(), r.GetCallerNumber(), r.GetCalleeNumber(),
		r.GetMediaPathLocation(), r.GetSignalingLocation(), r.GetFinalSipCode(), r.GetCallEndSubReason(),
		r.GetFinalSipCodePhrase(), r.GetTrunkFullyQualifiedDomainName(), r.GetMediaBypassEnabled(),
	}
}

// text is the form in which two rows are compared.
func (r graphRow) text(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
