// Package cert provides the certificate with which the server speaks HTTPS:
// one of a certificate authority of its own, from the first start ([Own]), or
// the operator's from two files, read again when they change ([Files]).
//
// It knows nothing of HTTP, of ACME or of who the clients are. It starts no
// goroutine: what has to be renewed or read again is looked at when a client
// knocks.
package cert

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// config returns the settings of a server whose certificate get provides.
func config(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: get,
	}
}

// withDefaults returns functions that can be called.
func withDefaults(now func() time.Time, report func(error)) (func() time.Time, func(error)) {
	if now == nil {
		now = time.Now
	}
	if report == nil {
		report = func(error) {}
	}
	return now, report
}

// exposed returns a warning if others than the owner can read the file. Where
// a file's mode says nothing of the kind there is no warning.
func exposed(file string) error {
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil //nolint:nilerr // whoever reads the file meets the same error
	}
	return fmt.Errorf("the private key in %s can be read by others (mode %#o): run chmod 600 on it", file, info.Mode().Perm())
}

// replace writes a file of its user alone in full or not at all, durably, in
// place of the one that may be there.
func replace(file string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), file); err != nil {
		return err
	}
	// The new name is durable once the folder is. Some file systems cannot
	// sync a folder; on them there is nothing more to be done.
	if d, openErr := os.Open(filepath.Dir(file)); openErr == nil {
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}
