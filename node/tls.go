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

// certificates give the configuration for TLS.
type certificates interface{ TLS() *tls.Config }

// sourceTLS returns what a source serves TLS with: the files that it names, or
// the certificate that the server has anyway.
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

// Reload reads the certificates that are in files again, those of the server and of its
// sources. Of a pair that cannot be used the old certificate stays. A certificate of our own CA
// is renewed by itself.
func (n *Node) Reload() error {
	errs := make([]error, len(n.pairs))
	for i, p := range n.pairs {
		errs[i] = p.Reload()
	}
	return errors.Join(errs...)
}

// openCertificates returns where the server's certificate comes from: the files
// that it was told of, or our own CA. One is made if there is none: beside a store
// that was served before, only if that is wanted, for its clients trust another.
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

// servedBefore reports whether there is a store, and a server has run on it.
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

// CA returns the certificate that clients must trust, as PEM. It is made as [Run]
// would make it, if there is none yet.
func CA(ctx context.Context, c Config) ([]byte, error) {
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
	if _, err := openCertificates(ctx, &c, roots); err != nil {
		return nil, err
	}
	return os.ReadFile(datadir.CA(c.Data))
}
