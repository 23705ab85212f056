package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/node"
)

// welcome prints what a new operator needs: lines to paste.
func (p *program) welcome(ctx context.Context, s *serving, n *node.Node, data string) {
	w := welcome{
		program:    quoted(executable()),
		data:       quoted(absolute(data)),
		ca:         quoted(datadir.CA(absolute(data))),
		root:       n.URL(),
		own:        s.tlsCert == "",
		from:       p.now().UTC().AddDate(0, 0, -28).Format(time.DateOnly),
		to:         p.now().UTC().AddDate(0, 0, 1).Format(time.DateOnly),
		tenant:     "TENANT",
		client:     "CLIENT",
		secretFile: exampleSecret,
	}
	if all, err := n.Tenants(ctx); err == nil && len(all) > 0 {
		w.tenant, w.tenantID = all[0].Name, all[0].ID.String()
	}
	if s.demo {
		if client, err := os.ReadFile(node.DemoClient(data)); err == nil {
			w.client, w.secretFile = string(client), node.DemoSecret(absolute(data))
		}
	}
	fmt.Fprint(p.stderr, w.text())
}

// exampleSecret is the file for a secret in examples. Other users of the machine could read a
// secret on the command line or in the environment.
const exampleSecret = "reporter.secret"

// A welcome holds the values in those lines.
type welcome struct {
	program, data, ca, root string
	own                     bool // the certificate is from our own CA
	from, to                string
	tenant, tenantID        string
	client, secretFile      string
}

func (w *welcome) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\ntrunklog is ready at %s\n", w.root)
	if w.tenantID == "" {
		fmt.Fprintf(&b, `
There is no tenant yet. Add one, with a client that may read its calls:

  %[1]s tenant add contoso --data %[2]s --id GUID --trunk sbc1.contoso.com
  %[1]s client create reporter --data %[2]s --tenant contoso --secret-out %[3]s
`, w.program, w.data, exampleSecret)
	}
	curlCA, goCA, psCA := "", "", ""
	if w.own {
		curlCA = "--cacert " + w.ca + " "
		goCA = fmt.Sprintf("  // run with SSL_CERT_FILE=%s; on Windows and macOS see above\n", w.ca)
		psCA = fmt.Sprintf("  # on Linux run with SSL_CERT_FILE=%s; on Windows and macOS see above\n", w.ca)
		b.WriteString(w.trust())
	}
	token := fmt.Sprintf("%s token --data %s --tenant %s --client %s --secret-file %s", w.program, w.data, w.tenant, w.client, quoted(w.secretFile))
	calls := fmt.Sprintf("%s/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=%s,toDateTime=%s)", w.root, w.from, w.to)
	fmt.Fprintf(&b, `
curl:

  curl --compressed %s-H "Authorization: Bearer $(%s)" '%s'
`, curlCA, token, calls)
	id := w.tenantID
	if id == "" {
		id = "TENANT-GUID"
	}
	host := strings.TrimPrefix(w.root, "https://")
	name, _, _ := strings.Cut(host, ":")
	fmt.Fprintf(&b, `
Go (msgraph-sdk-go, azidentity):

%s  secret, err := os.ReadFile(%q)
  cred, err := azidentity.NewClientSecretCredential(%q, %q, strings.TrimSpace(string(secret)), &azidentity.ClientSecretCredentialOptions{
      ClientOptions:            azcore.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: %q}},
      DisableInstanceDiscovery: true,
  })
  client, err := msgraphsdk.NewGraphServiceClientWithCredentialsAndHosts(cred, []string{"api://trunklog/.default"}, []string{%q})
  client.GetAdapter().SetBaseUrl(%q)
`, goCA, w.secretFile, id, w.client, w.root, name, w.root+"/v1.0")
	fmt.Fprintf(&b, `
PowerShell:

%s  $token = & %s
  Invoke-RestMethod -Headers @{Authorization = "Bearer $token"} -Uri '%s'

`, psCA, token, calls)
	return b.String()
}

// trust says how programs come to trust our own CA, in the order of how far the trust reaches: one
// command, one process, one user, and last the whole machine.
func (w *welcome) trust() string {
	return fmt.Sprintf(`
Its certificate is of its own authority, %[1]s. Let one program trust it:

  curl                                     curl --cacert %[1]s …
  Go, .NET, PowerShell on Linux; Python    SSL_CERT_FILE=%[1]s
    with requests or MSAL                  REQUESTS_CA_BUNDLE=%[1]s
  Node                                     NODE_EXTRA_CA_CERTS=%[1]s
  Java                                     -Djavax.net.ssl.trustStore=FILE, see docs/clients.md
  Go, .NET, PowerShell on Windows          for one user: Import-Certificate -FilePath %[1]s -CertStoreLocation Cert:\CurrentUser\Root
  the same on macOS                        for one user: security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db %[1]s

Only if that is not enough, let all programs of a machine trust it: docs/hosts.md.
`, w.ca)
}

// executable returns the path by which a shell can run this program again.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// quoted returns s as one word of a shell.
func quoted(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
