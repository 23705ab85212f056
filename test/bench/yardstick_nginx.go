package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// The second yardstick is nginx, which hands out the same pages as files: by
// sendfile as they are, and by gzip_static what was packed beforehand.

// nginxConfig is filled with: user, workers, folder, address for HTTP, address
// for HTTPS.
const nginxConfig = `%[1]s
worker_processes %[2]d;
daemon off;
pid %[3]s/nginx.pid;
error_log stderr warn;
events { worker_connections 256; }
http {
	access_log off;
	default_type application/json;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000000;
	open_file_cache max=1000;
	open_file_cache_valid 1h;
	gzip_static on;
	client_body_temp_path %[3]s/nginx-body;
	proxy_temp_path %[3]s/nginx-proxy;
	fastcgi_temp_path %[3]s/nginx-fastcgi;
	uwsgi_temp_path %[3]s/nginx-uwsgi;
	scgi_temp_path %[3]s/nginx-scgi;
	server {
		listen %[4]s backlog=128;
		listen %[5]s ssl backlog=128;
		ssl_certificate %[3]s/cert.pem;
		ssl_certificate_key %[3]s/key.pem;
		ssl_protocols TLSv1.2 TLSv1.3;
		root %[3]s;
	}
}
`

// installed returns the path of a program, which Debian may keep where only
// root looks.
func installed(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}

// startNginx serves the files of dir.
func startNginx(ctx context.Context, dir string) (*process, staticAddrs, error) {
	var addrs staticAddrs
	nginx, err := installed("nginx")
	if err != nil {
		return nil, addrs, err
	}
	if addrs.HTTP, err = freeAddr(); err != nil {
		return nil, addrs, err
	}
	if addrs.HTTPS, err = freeAddr(); err != nil {
		return nil, addrs, err
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // else its workers could not read the folder
	}
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(nginxConfig, user, runtime.NumCPU(), dir, addrs.HTTP, addrs.HTTPS)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, addrs, err
	}
	p, err := startProcess(ctx, nginx, "-e", "stderr", "-p", dir, "-c", config)
	if err != nil {
		return nil, addrs, err
	}
	if err := p.poll(ctx, 10*time.Second, func() error { return answersAt(ctx, addrs.HTTP) }); err != nil {
		p.stop(syscall.SIGTERM)
		return nil, addrs, err
	}
	return p, addrs, nil
}

// answersAt reports whether somebody listens at addr.
func answersAt(ctx context.Context, addr string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// nginxVersion returns the version of the installed nginx.
func nginxVersion(ctx context.Context) string {
	nginx, err := installed("nginx")
	if err != nil {
		return err.Error()
	}
	out, err := exec.CommandContext(ctx, nginx, "-v").CombinedOutput() //nolint:gosec // the path was looked up
	if err != nil {
		return "not known"
	}
	_, version, _ := strings.Cut(strings.TrimSpace(string(out)), ": ")
	return version
}
