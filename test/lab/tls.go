package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/trunklog/trunklog/test/kit"
)

// tlsSettings are those of a Kamailio, which trusts whom its file names.
const tlsSettings = `[server:default]
method = TLSv1.2+
certificate = %[1]s.pem
private_key = %[1]s.key

[client:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
ca_list = %[1]s-trusts.pem
certificate = %[1]s.pem
private_key = %[1]s.key
`

// writeTLS writes the settings of TLS of the SBC and of Microsoft's proxy, and
// returns the path of the SBC's. Each has a certificate of its own making, which
// the other trusts; the SBC trusts trunklog's authority as well, whose
// certificate is in the file ca.
func (s *sbc) writeTLS() (string, error) {
	path := func(name string) string { return filepath.Join(s.dir, name) }
	sbcCert, err := writeCertificate(path("sbc"), "sbc1.contoso.test")
	if err != nil {
		return "", err
	}
	teamsCert, err := writeCertificate(path("teams"), "sip.pstnhub.microsoft.com")
	if err != nil {
		return "", err
	}
	trusts := teamsCert
	if s.network == "tls" {
		ca, err := os.ReadFile(s.ca)
		if err != nil {
			return "", err
		}
		trusts = bytes.Join([][]byte{teamsCert, ca}, nil)
	}
	return path("sbc-tls.cfg"), errors.Join(
		os.WriteFile(path("sbc-trusts.pem"), trusts, 0o600),
		os.WriteFile(path("teams-trusts.pem"), sbcCert, 0o600),
		os.WriteFile(path("sbc-tls.cfg"), fmt.Appendf(nil, tlsSettings, path("sbc")), 0o600),
		os.WriteFile(path("teams-tls.cfg"), fmt.Appendf(nil, tlsSettings, path("teams")), 0o600),
	)
}

// writeCertificate makes a certificate for a name, writes it and its key to
// FILE.pem and FILE.key, and returns it.
func writeCertificate(file, name string) ([]byte, error) {
	p, err := kit.NewKeyPair(name, nil)
	if err != nil {
		return nil, err
	}
	return p.CertPEM, p.Write(file+".pem", file+".key")
}
