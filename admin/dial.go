package admin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A Client is a command's connection to a running node. If the node has no keeper, the methods of
// [Keeper] fail with [errors.ErrUnsupported].
//
// It returns the errors of the node's store, and [call.ErrClosed] if the node no longer answers.
// The node may or may not have applied a Write that fails with ErrClosed.
type Client struct {
	path    string
	stamp   string
	http    http.Client
	limit   int       // largest request, in bytes
	readers sync.Pool // of *bufio.Reader

	mu     sync.RWMutex
	closed bool
	busy   sync.WaitGroup // operations in progress
}

var (
	_ call.Log = (*Client)(nil)
	_ Keeper   = (*Client)(nil)
)

// Dial returns a client of the node that listens at path. Both must have the same version.
//
// If no node has listened there the error wraps [fs.ErrNotExist]; if one did and has ended, it
// wraps [syscall.ECONNREFUSED]. In both cases the caller may open the folder itself. Any other
// error means that a server is there which the caller cannot use.
func Dial(ctx context.Context, path, version string) (*Client, error) {
	if err := tooLong(path); err != nil {
		return nil, fmt.Errorf("admin socket: %w: %w", err, fs.ErrNotExist) // no server can listen there
	}
	c := &Client{path: path, stamp: stamp(version), limit: maxRequest}
	c.readers.New = func() any { return bufio.NewReaderSize(nil, 2*chunk) }
	var d net.Dialer
	c.http.Transport = &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
		DisableCompression:  true,
		MaxIdleConnsPerHost: 64,
		// The server's timeout is longer, so that it does not close a connection while the client
		// sends a request on it.
		IdleConnTimeout: 20 * time.Second,
		ReadBufferSize:  chunk,
		WriteBufferSize: chunk,
	}
	if err := c.finish(ctx, pathHello, nil); err != nil {
		_ = c.Close()
		return nil, notDialled(err)
	}
	return c, nil
}

// notDialled returns the error of a client that never had a connection. Unlike [Client.lost], it
// does not say that the server no longer answers.
func notDialled(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		err = fmt.Errorf("admin socket: %w", op)
	}
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: run this as the user that the server runs as", err)
	}
	return err
}

// enter begins an operation that Close waits for; c.busy.Done ends it.
func (c *Client) enter(ctx context.Context) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return fmt.Errorf("admin socket: %w", call.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	c.busy.Add(1)
	return nil
}

// Close waits for the operations in progress. Later calls return [call.ErrClosed]. The node's
// store stays open.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return fmt.Errorf("admin socket: %w", call.ErrClosed)
	}
	c.closed = true
	c.mu.Unlock()
	c.busy.Wait()
	c.http.CloseIdleConnections()
	return nil
}

// post sends a request and returns the answer, which the caller closes.
func (c *Client) post(ctx context.Context, path string, body []byte) (*frames, error) {
	if len(body) > c.limit {
		return nil, fmt.Errorf("admin socket: %w: %d bytes in one batch; there can be %d: write smaller ones", call.ErrInvalid, len(body), c.limit)
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	resp, err := c.send(ctx, path, body) //nolint:bodyclose // the frames close it
	if err != nil {
		c.busy.Done()
		return nil, err
	}
	r, _ := c.readers.Get().(*bufio.Reader)
	r.Reset(resp.Body)
	return &frames{client: c, body: resp.Body, r: r}, nil
}

func (c *Client) send(ctx context.Context, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://trunklog"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	req.Header.Set(header, c.stamp)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.lost(ctx, err)
	}
	if err := c.refused(resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// refused returns an error if the response has no frames that this client can read.
func (c *Client) refused(resp *http.Response) error {
	theirs := resp.Header.Get(header)
	switch {
	case resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("admin socket: the server at %s runs as another user: %w", c.path, fs.ErrPermission)
	case theirs == "":
		return fmt.Errorf("admin socket: what answers at %s is not trunklog (HTTP status %d)", c.path, resp.StatusCode)
	case theirs != c.stamp:
		return fmt.Errorf("admin socket: the server at %s is trunklog %s, and this is trunklog %s: run the server's program, or restart the server with this one",
			c.path, version(theirs), version(c.stamp))
	case resp.StatusCode == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("admin socket: %w: too much in one batch: write smaller ones", call.ErrInvalid)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("admin socket: the server at %s answers with HTTP status %d", c.path, resp.StatusCode)
	}
	return nil
}

// version returns a stamp in words.
func version(stamp string) string {
	number, v, _ := strings.Cut(stamp, " ")
	return fmt.Sprintf("%s (admin protocol %s)", v, number)
}

// lost returns the error of a connection that failed or broke off.
func (c *Client) lost(ctx context.Context, err error) error {
	if ctxErr := ctx.Err(); ctxErr != nil {
		return fmt.Errorf("admin socket: %w", ctxErr)
	}
	return fmt.Errorf("admin socket: the server at %s does not answer any more: %w: %w", c.path, call.ErrClosed, err)
}

// frames reads an answer.
type frames struct {
	client *Client
	body   io.Closer
	r      *bufio.Reader
	last   int    // length of the last frame, still in the buffer
	long   []byte // holds a frame that is longer than the buffer
	ended  bool
}

// close ends the request, even if the caller has not read all frames.
func (f *frames) close() {
	_ = f.body.Close()
	f.r.Reset(nil)
	f.client.readers.Put(f.r)
	f.client.busy.Done()
}

// next returns the next frame, whose payload is valid until the next call. At the end it returns
// [io.EOF], and for an error frame the server's error.
func (f *frames) next(ctx context.Context) (kind byte, payload []byte, err error) {
	if f.ended {
		return 0, nil, io.EOF
	}
	kind, payload, err = f.frame()
	switch {
	case err != nil:
		return 0, nil, f.client.lost(ctx, err)
	case kind == frameEnd && len(payload) == 0:
		f.ended = true
		return 0, nil, f.rest(ctx, io.EOF)
	case kind == frameError:
		p := parser{s: string(payload)}
		told := p.error()
		if err := p.end(); err != nil {
			return 0, nil, malformed()
		}
		f.ended = true
		return 0, nil, f.rest(ctx, told)
	case kind == frameRow, kind == frameMet, kind == frameMessage, kind == frameValue, kind == frameProblem:
		return kind, payload, nil
	}
	return 0, nil, malformed()
}

// rest reads to the end of the answer, so that the connection is free for the next request, and
// returns err.
func (f *frames) rest(ctx context.Context, err error) error {
	_, _ = f.r.Discard(f.last)
	f.last = 0
	if _, readErr := f.r.ReadByte(); !errors.Is(readErr, io.EOF) {
		if readErr == nil {
			return malformed()
		}
		return f.client.lost(ctx, readErr)
	}
	return err
}

func malformed() error { return fmt.Errorf("admin socket: the answer is %w", errMalformed) }

// frame reads a frame. A frame that fits into the buffer stays there until the next call skips it.
func (f *frames) frame() (kind byte, payload []byte, err error) {
	const head = 5
	if _, err := f.r.Discard(f.last); err != nil {
		return 0, nil, err
	}
	f.last = 0
	b, err := f.r.Peek(head)
	if err != nil {
		return 0, nil, cutOff(err)
	}
	kind = b[0]
	n := int(b[1])<<24 | int(b[2])<<16 | int(b[3])<<8 | int(b[4])
	if head+n <= f.r.Size() {
		if b, err = f.r.Peek(head + n); err != nil {
			return 0, nil, cutOff(err)
		}
		f.last = head + n
		return kind, b[head:], nil
	}
	// The length may be false, so the copy grows only with the bytes that arrive.
	long := bytes.NewBuffer(f.long[:0])
	if _, err := f.r.Discard(head); err != nil {
		return 0, nil, cutOff(err)
	}
	if _, err := io.CopyN(long, f.r, int64(n)); err != nil {
		return 0, nil, cutOff(err)
	}
	f.long = long.Bytes()
	return kind, f.long, nil
}

// cutOff tells the end of a connection from the end of an answer.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// stream sends a request, and yields the result of parse for each frame of the answer.
func stream[T any](ctx context.Context, c *Client, path string, body []byte, parse func(kind byte, payload []byte) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		f, err := c.post(ctx, path, body)
		if err != nil {
			var none T
			yield(none, err)
			return
		}
		defer f.close()
		walk(ctx, f, parse, yield)
	}
}

// walk yields the result of parse for each frame of an answer, until ctx is done.
func walk[T any](ctx context.Context, f *frames, parse func(kind byte, payload []byte) (T, error), yield func(T, error) bool) {
	for {
		kind, payload, err := f.next(ctx)
		var v T
		switch {
		case errors.Is(err, io.EOF):
			return
		case err == nil && ctx.Err() != nil:
			err = fmt.Errorf("admin socket: %w", ctx.Err())
		case err == nil:
			v, err = parse(kind, payload)
		}
		if err != nil {
			var none T
			yield(none, err)
			return
		}
		if !yield(v, nil) {
			return
		}
	}
}

// valueOf returns a function that parses frames with a value.
func valueOf[T any](take func(*parser) T) func(kind byte, payload []byte) (T, error) {
	return func(kind byte, payload []byte) (v T, err error) {
		p := parser{s: string(payload)}
		if v = take(&p); kind != frameValue || p.end() != nil {
			return v, malformed()
		}
		return v, nil
	}
}

// finish sends a request whose answer has only an end.
func (c *Client) finish(ctx context.Context, path string, body []byte) error {
	return c.each(ctx, path, body, func(byte, []byte) error { return malformed() })
}

// one sends a request whose answer has exactly one frame, and hands the frame to take.
func (c *Client) one(ctx context.Context, path string, body []byte, take func(*parser)) error {
	n := 0
	err := c.each(ctx, path, body, func(_ byte, payload []byte) error {
		p := parser{s: string(payload)}
		take(&p)
		if n++; n > 1 || p.end() != nil {
			return malformed()
		}
		return nil
	})
	if err == nil && n == 0 {
		return malformed()
	}
	return err
}

// each sends a request and hands each frame of the answer to take.
func (c *Client) each(ctx context.Context, path string, body []byte, take func(kind byte, payload []byte) error) error {
	f, err := c.post(ctx, path, body)
	if err != nil {
		return err
	}
	defer f.close()
	for {
		kind, payload, err := f.next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := take(kind, payload); err != nil {
			return err
		}
	}
}
