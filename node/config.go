package node

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/door"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/source"
	"github.com/trunklog/trunklog/tenant"
)

// A Config says what a node does. Data, Listen, Now, Log and Kinds are required.
type Config struct {
	Version string
	Now     func() time.Time
	Log     *slog.Logger

	Data          string // the data folder
	Store         string // URL of the store, if not in the data folder
	MasterKeyFile string // file with the master key, if not in the data folder
	CacheBytes    int64  // cache for blocks of the store

	// Listen is for HTTPS, ListenHTTP for plain HTTP and AdminListen for monitoring. The last two
	// may be empty.
	Listen, ListenHTTP, AdminListen string
	PublicURL                       string   // URL by which clients know the node, if not this machine's name
	TLSCert, TLSKey                 string   // files; empty takes a certificate of our own CA
	TLSHosts                        []string // further names of this machine in that certificate
	NewCA                           bool     // make our own CA if it is missing, although the store was served before
	MaxConnections                  int      // 0 is as many as files may be open
	TrustedProxies                  door.Proxies

	Keep, KeepSIP, KeepChanges tenant.Period
	SIP                        bool // keep the SIP messages of calls

	Strict, PlainLinks       bool
	Faults                   *graph.Faults // nil for none
	PageTimeout, PushTimeout time.Duration
	Limits                   graph.Limits
	Entra                    *auth.EntraConfig // nil accepts only our own tokens

	Sources []string     // NAME=URL
	Kinds   source.Table // kinds of sources that a URL may name
	Demo    bool
}

// A SettingError is the error of a value in a [Config].
type SettingError struct{ Err error }

func (e *SettingError) Error() string { return e.Err.Error() }

// Unwrap returns the cause, for [errors.Is].
func (e *SettingError) Unwrap() error { return e.Err }

func wrongSetting(format string, args ...any) error {
	return &SettingError{fmt.Errorf(format, args...)}
}

// wrongIfInvalid turns an error that wraps call.ErrInvalid into a [SettingError].
func wrongIfInvalid(err error) error {
	if errors.Is(err, call.ErrInvalid) {
		return &SettingError{err}
	}
	return err
}

// storeURL returns the URL of the store.
func (c *Config) storeURL() string {
	if c.Store != "" {
		return c.Store
	}
	return "pebble:" + datadir.Store(c.Data)
}

// Check checks the settings that need no file and no port: the public URL, and the form of the
// sources. [Run] checks files and ports when it opens them.
func (c *Config) Check() error {
	if _, err := newRoots(c.PublicURL, c.Listen, c.TLSHosts); err != nil {
		return err
	}
	options := func(string) source.Options {
		return source.Options{
			Raw:      c.SIP,
			TLS:      func(string, string) (*tls.Config, error) { return &tls.Config{}, nil }, //nolint:gosec // nobody listens with it
			SenderCA: func() (*x509.CertPool, error) { return x509.NewCertPool(), nil },
		}
	}
	var names []string
	for _, spec := range c.Sources {
		name, _, err := c.Kinds.Open(spec, options)
		if err != nil {
			return wrongIfInvalid(err)
		}
		if slices.Contains(names, name) {
			return twoSources(name)
		}
		names = append(names, name)
	}
	return nil
}

func twoSources(name string) error {
	return wrongSetting("--source: there are two of the name %s", name)
}
