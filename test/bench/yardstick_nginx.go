package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/trunklog/trunklog/test/kit"
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

// nginxCommand returns the yardstick.
func nginxCommand(ctx context.Context, site staticSite) (*exec.Cmd, error) {
	nginx, err := kit.Installed("nginx")
	if err != nil {
		return nil, err
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // else its workers could not read the folder
	}
	config := filepath.Join(site.Dir, "nginx.conf")
	text := fmt.Sprintf(nginxConfig, user, runtime.NumCPU(), site.Dir, site.HTTP, site.HTTPS)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return kit.Command(ctx, nginx, "-e", "stderr", "-p", site.Dir, "-c", config), nil
}

// nginxVersion returns the version of the installed nginx.
func nginxVersion(ctx context.Context) string {
	nginx, err := kit.Installed("nginx")
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
