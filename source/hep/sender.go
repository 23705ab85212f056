package hep

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"regexp"
	"strings"
)

// errSender is the error of a connection whose sender has a certificate from our authorities, but
// for none of the names in sender-name. It quotes none of them.
var errSender = errors.New("the sender's certificate is good, but for none of the names in sender-name")

// hostName is the form of a DNS name (RFC 1123, section 2.1), as a certificate
// has it.
var hostName = regexp.MustCompile(`^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?$`)

// senderNames reads a list of DNS names and addresses, separated by commas.
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

// A senderCheck admits senders by the names in their certificates.
type senderCheck struct {
	names []string
	roots *x509.CertPool // their authorities; nil is the system's
	tls   *tls.Config    // its Time is the clock
}

// verify has the type of [tls.Config.VerifyConnection]. It checks all that package tls checks of a
// client's certificate, except that it accepts any extended key usage: public authorities issue no
// certificates for clients any more, so an SBC shows the one that it has as a server. Package tls
// calls it for resumed sessions too, so a session does not outlive the certificate or its
// authority.
//
// Only the names in the subject alternative name count, in any case, as for any server (RFC 9525,
// section 2). A wildcard in the certificate stands for one label.
func (c *senderCheck) verify(state tls.ConnectionState) error {
	certs := state.PeerCertificates
	if len(certs) == 0 {
		return errors.New("tls: client didn't provide a certificate") // the text of package tls, which refusalOf knows
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

// namesOf returns the host names in a certificate: those in its subject alternative name, as it
// spells them, or, if it has no such extension, as those of older SBCs, its common name in lower
// case.
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
