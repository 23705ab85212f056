package hep

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"regexp"
	"strings"
)

// errSender is why a connection is refused whose sender has a certificate of our
// authorities, but for other names. It tells none of them.
var errSender = errors.New("the sender's certificate is good, but for none of the names in sender-name")

// hostName is the form of a DNS name (RFC 1123, section 2.1), as a certificate
// has it.
var hostName = regexp.MustCompile(`^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?$`)

// senderNames reads DNS names and addresses with commas between them.
func senderNames(list string) (all []string, err error) {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.ToLower(strings.TrimSpace(one))
		if _, err := netip.ParseAddr(one); err != nil && !hostName.MatchString(one) || len(one) > 253 {
			return nil, invalid("sender-name: %q is neither a DNS name such as sbc1.contoso.com nor an address; write each name out: a certificate for *.contoso.com stands for it as well", one)
		}
		all = append(all, one)
	}
	return all, nil
}

// A senderCheck lets in senders by the names in their certificates.
type senderCheck struct {
	names []string
	roots *x509.CertPool // of their authorities; nil stands for the system's
	tls   *tls.Config    // whose clock counts
}

// verify is for [tls.Config.VerifyConnection]. It does all that package tls does
// with a client's certificate, except that any extended key usage will do: public
// authorities issue no certificates for clients any more, so an SBC shows the
// one that it has as a server. It is called for sessions that are resumed, too, so
// these end with the certificate, and with the authority.
//
// Only the names in the subject alternative name count, as for any server (RFC
// 9525, section 2), in any case. A wildcard in the certificate stands for one label.
func (c *senderCheck) verify(state tls.ConnectionState) error {
	certs := state.PeerCertificates
	if len(certs) == 0 {
		return errors.New("tls: client didn't provide a certificate") // as package tls says it
	}
	o := x509.VerifyOptions{Roots: c.roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for _, cert := range certs[1:] {
		o.Intermediates.AddCert(cert)
	}
	if c.tls.Time != nil {
		o.CurrentTime = c.tls.Time()
	}
	if _, err := certs[0].Verify(o); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: certs, Err: err}
	}
	for _, name := range c.names {
		if certs[0].VerifyHostname(name) == nil {
			return nil
		}
	}
	return errSender
}

// namesOf returns the host names that a certificate bears, as it writes them: those in its
// subject alternative name, or the common name of one that has none, as older SBCs have.
func namesOf(cert *x509.Certificate) []string {
	if len(cert.DNSNames)+len(cert.IPAddresses)+len(cert.EmailAddresses)+len(cert.URIs) > 0 {
		return cert.DNSNames
	}
	name := strings.ToLower(cert.Subject.CommonName)
	if !hostName.MatchString(strings.TrimPrefix(name, "*.")) {
		return nil
	}
	return []string{name}
}
