package node

import (
	"crypto/tls"
	"log/slog"
	"os"
	"time"

	"github.com/trunklog/trunklog/cert"
	"github.com/trunklog/trunklog/datadir"
)

// certificates give the configuration for TLS.
type certificates interface{ TLS() *tls.Config }

// sourceTLS returns what a source serves TLS with: the files that it names, or
// the certificate that the server has anyway.
func sourceTLS(certs certificates, now func() time.Time, log *slog.Logger) func(certFile, keyFile string) (*tls.Config, error) {
	return func(certFile, keyFile string) (*tls.Config, error) {
		if certFile == "" {
			return certs.TLS(), nil
		}
		files, err := cert.Files(certFile, keyFile, now, func(err error) { log.Warn("certificate", "err", err) })
		if err != nil {
			return nil, err
		}
		return files.TLS(), nil
	}
}

// openCertificates returns where the server's certificate comes from: the files
// that it was told of, or our own CA.
func openCertificates(c *Config, roots *roots) (certificates, error) {
	report := func(err error) { c.Log.Warn("certificate", "err", err) }
	if c.TLSCert != "" {
		return cert.Files(c.TLSCert, c.TLSKey, c.Now, report)
	}
	return cert.Own(datadir.TLS(c.Data), roots.hosts, c.Now, report)
}

// CA returns the certificate that clients must trust, as PEM. It is made if there is
// none yet.
func CA(c Config) ([]byte, error) {
	if err := datadir.Make(c.Data, true); err != nil {
		return nil, err
	}
	folder, err := datadir.Open(c.Data)
	if err != nil {
		return nil, err
	}
	defer func() { _ = folder.Close() }() // it was only looked at
	roots, err := newRoots(c.PublicURL, c.Listen, c.TLSHosts)
	if err != nil {
		return nil, err
	}
	if _, err := openCertificates(&c, roots); err != nil {
		return nil, err
	}
	return os.ReadFile(datadir.CA(c.Data))
}
