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

// A Config says what a node does. Data, Listen, Now, Log and Kinds must be given.
type Config struct {
	Version string
	Now     func() time.Time
	Log     *slog.Logger

	Data          string // the data folder
	Store         string // where the rows are, if not in the data folder
	MasterKeyFile string // where the master key is, if not in the data folder
	CacheBytes    int64  // of blocks of the store

	// Listen is for HTTPS, ListenHTTP for plain HTTP and AdminListen for monitoring;
	// the last two may be empty.
	Listen, ListenHTTP, AdminListen string
	PublicURL                       string   // by which clients know the node, if not by this machine's name
	TLSCert, TLSKey                 string   // files; empty is a certificate of our own CA
	TLSHosts                        []string // further names of ours in that
	NewCA                           bool     // make our own CA if it is missing, although the store was served before
	MaxConnections                  int      // 0 is as many as files may be open
	TrustedProxies                  door.Proxies

	Keep, KeepSIP, KeepChanges tenant.Period
	SIP                        bool // keep the SIP messages of calls

	Strict, PlainLinks       bool
	Faults                   *graph.Faults // nil for none
	PageTimeout, PushTimeout time.Duration
	Limits                   graph.Limits
	Entra                    *auth.EntraConfig // nil takes our own tokens alone

	Sources []string     // NAME=URL
	Kinds   source.Table // what a URL can be
	Demo    bool
}

// A SettingError says what is wrong with a value in a [Config].
type SettingError struct{ Err error }

func (e *SettingError) Error() string { return e.Err.Error() }

// Unwrap makes what is behind it visible to [errors.Is].
func (e *SettingError) Unwrap() error { return e.Err }

func wrongSetting(format string, args ...any) error {
	return &SettingError{fmt.Errorf(format, args...)}
}

// wrongIfInvalid makes of an error about a value one about a setting.
func wrongIfInvalid(err error) error {
	if errors.Is(err, call.ErrInvalid) {
		return &SettingError{err}
	}
	return err
}

// storeURL says where the rows are.
func (c *Config) storeURL() string {
	if c.Store != "" {
		return c.Store
	}
	return "pebble:" + datadir.Store(c.Data)
}

// Check checks what can be checked before anything is opened: the public URL, and the
// form of the sources. Files and ports are looked at when they are opened.
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
