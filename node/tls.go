package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/cert"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/store"
)

// certificates provide a configuration for TLS.
type certificates interface{ TLS() *tls.Config }

// sourceTLS returns the configuration with which a source serves TLS: with the files that it names,
// or else with the server's own certificate.
func (n *Node) sourceTLS(certFile, keyFile string) (*tls.Config, error) {
	if certFile == "" {
		return n.certs.TLS(), nil
	}
	files, err := cert.Files(certFile, keyFile, n.c.Now, func(err error) { n.c.Log.Warn("certificate", "err", err) })
	if err != nil {
		return nil, err
	}
	n.pairs = append(n.pairs, files)
	return files.TLS(), nil
}

// Reload reads the certificate files of the server and of its sources again. A pair whose files are
// unusable keeps its old certificate, and is in the error. Our own CA renews its certificate by
// itself.
func (n *Node) Reload() error {
	errs := make([]error, len(n.pairs))
	for i, p := range n.pairs {
		errs[i] = p.Reload()
	}
	return errors.Join(errs...)
}

// openCertificates returns the server's certificate: from the files in the settings, or of our own
// CA, which it makes if there is none. Beside a store that was served before it makes one only with
// --new-ca, because the store's clients trust the old one.
func openCertificates(ctx context.Context, c *Config, roots *roots) (certificates, error) {
	report := func(err error) { c.Log.Warn("certificate", "err", err) }
	if c.TLSCert != "" {
		return cert.Files(c.TLSCert, c.TLSKey, c.Now, report)
	}
	if cert.Missing(datadir.TLS(c.Data)) {
		served, err := servedBefore(ctx, c)
		switch {
		case err != nil:
			return nil, fmt.Errorf("certificate authority: %s is missing: was the store served before? %w", datadir.CA(c.Data), err)
		case served && !c.NewCA:
			return nil, fmt.Errorf("certificate authority: %s is missing, and the store was served before: put %s back from where it is kept, or say --new-ca to make a new authority, whose ca.pem all clients need", datadir.CA(c.Data), datadir.TLS(c.Data))
		case served:
			c.Log.Warn("a new certificate authority beside a store that was served before: all clients need the new ca.pem", "ca", datadir.CA(c.Data))
		}
	}
	return cert.Own(datadir.TLS(c.Data), roots.hosts, c.Now, report)
}

// servedBefore reports whether there is a store on which a server has run.
func servedBefore(ctx context.Context, c *Config) (bool, error) {
	st, err := store.Open(ctx, c.storeURL(), store.Options{Existing: true, ReadOnly: true, AsItIs: true})
	if errors.Is(err, call.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	root, err := call.Value(ctx, st, rootState)
	return root != nil, errors.Join(err, st.Close())
}

// CA returns the certificate that clients must trust, as PEM. If there is none it makes it as [Run]
// would.
func CA(ctx context.Context, c Config) ([]byte, error) {
	if err := datadir.Make(c.Data, true); err != nil {
		return nil, err
	}
	folder, err := datadir.Open(c.Data)
	if err != nil {
		return nil, err
	}
	defer func() { _ = folder.Close() }() // the function only reads in it
	roots, err := newRoots(c.PublicURL, c.Listen, c.TLSHosts)
	if err != nil {
		return nil, err
	}
	if _, err := openCertificates(ctx, &c, roots); err != nil {
		return nil, err
	}
	return os.ReadFile(datadir.CA(c.Data))
}
