// Package cert provides the certificate with which the server speaks HTTPS: one from its own
// certificate authority, which it makes at the first start ([Own]), or the operator's from two
// files, which it reads again when they change ([Files]).
//
// It knows nothing of HTTP, of ACME or of the clients. It starts no goroutine: it renews a
// certificate, or reads one again, during a client's handshake.
package cert

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// config returns the TLS settings of a server; get provides its certificate.
func config(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: get,
	}
}

// withDefaults returns now and report, or a default for each that is nil.
func withDefaults(now func() time.Time, report func(error)) (func() time.Time, func(error)) {
	if now == nil {
		now = time.Now
	}
	if report == nil {
		report = func(error) {}
	}
	return now, report
}

// exposed returns a warning if users other than its owner can read the file. On Windows it
// returns none, because a mode does not show there who can read a file.
func exposed(file string) error {
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil //nolint:nilerr // whoever reads the file meets the same error
	}
	return fmt.Errorf("the private key in %s can be read by others (mode %#o): run chmod 600 on it", file, info.Mode().Perm())
}

// first writes a file that only its owner can read, unless there is one, and returns what then is
// in it.
func first(file string, b []byte) ([]byte, error) {
	whole := file + ".new" + rand.Text()
	if err := replace(whole, b); err != nil {
		return nil, err
	}
	err := os.Link(whole, file)
	if err != nil && !errors.Is(err, fs.ErrExist) { // a file system without links
		err = os.Rename(whole, file)
	} else {
		err = os.Remove(whole)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// replace writes a file that only its owner can read, completely or not at all, and durably. It
// takes the place of an existing file.
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
	// The new name is durable once the folder is. Some file systems cannot sync a folder, so an
	// error here does not count.
	if d, openErr := os.Open(filepath.Dir(file)); openErr == nil {
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}
