package node

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
)

// A tlsPort is a listener for clients that must speak TLS. It tells a client that speaks plain HTTP
// so, and which URL to use, which net/http's own answer does not.
type tlsPort struct {
	net.Listener
	roots *roots
}

// Accept implements [net.Listener].
func (l tlsPort) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tlsPortConn{Conn: c, roots: l.roots}, nil
}

// A tlsPortConn checks the first bytes that arrive. One goroutine at a time reads it, with
// net/http's deadline for handshakes.
type tlsPortConn struct {
	net.Conn
	roots *roots
	begun bool
}

// Read implements [net.Conn]. After a request in plain HTTP it returns io.EOF.
func (c *tlsPortConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.begun || n == 0 {
		return n, err
	}
	c.begun = true
	if b[0] < 'A' || b[0] > 'Z' { // a TLS record begins with its type, 22
		return n, err
	}
	head := io.LimitReader(io.MultiReader(bytes.NewReader(b[:n]), c.Conn), maxHead)
	r, notHTTP := http.ReadRequest(bufio.NewReader(head))
	if notHTTP != nil {
		return n, err
	}
	c.refuse(r)
	return 0, io.EOF
}

// refuse answers in Graph's form. Then it reads what else the client has sent: the system resets a
// connection that closes with unread bytes, and the client may lose the answer.
func (c *tlsPortConn) refuse(r *http.Request) {
	r.TLS = &tls.ConnectionState{} // as if the client had used TLS
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	body.Error.Code = "BadRequest"
	body.Error.Message = fmt.Sprintf("This port speaks HTTPS and the request came in plain HTTP. Use %s. "+
		"A proxy has to speak HTTPS too, or to use the port of --listen-http.", c.roots.of(r))
	text, err := json.Marshal(body)
	if err != nil {
		return // json can always write two strings
	}
	_, err = fmt.Fprintf(c.Conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(text), text)
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && err == nil && half.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, c.Conn, 1<<20) // until the client hangs up
	}
}
