package admin

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/trunklog/trunklog/datadir"
)

// A TailLine is one line of what the server tells of calls as they happen.
type TailLine struct {
	Progress string    `json:"progress"`
	Missed   int64     `json:"missed,omitempty"`
	Start    time.Time `json:"start"`
	ID       string    `json:"id"`
	Body     []byte    `json:"body"` // call.Row.AppendBody
}

const TailPath = "/tail"

// Client returns a client of the socket of the server that owns a data folder. Its
// connections are the caller's to close.
func Client(data string) *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", datadir.Socket(data))
		},
	}}
}
