package hep

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Refusal is why a connection came to nothing before any packet was read from
// it. The set is closed, so that each has a counter in [Stats].
type Refusal uint8

// Why connections come to nothing.
const (
	Crowded        Refusal = iota // there were too many; see the URL's connections
	NoTLS                         // what came is not TLS
	NoCertificate                 // a client's certificate is required, and none came
	Certificate                   // one came that is not of our authorities, or not valid
	Alert                         // the sender broke off, often as it does not trust our certificate
	NoAgreement                   // no version or cipher of TLS that both have, or another failure
	HandshakeStall                // the sender stopped in the middle of the handshake, or never began
	HandshakeCut                  // the sender closed the connection in the middle of it, or at once
	SenderName                    // its certificate is good, but for none of the URL's sender-name

	numRefusals
)

// NumRefusals is how many refusals there are.
const NumRefusals = int(numRefusals)

var refusals = [...]string{
	Crowded: "crowded", NoTLS: "no-tls", NoCertificate: "no-certificate", Certificate: "certificate",
	Alert: "alert", NoAgreement: "no-agreement", HandshakeStall: "stall", HandshakeCut: "cut",
	SenderName: "sender-name",
}

// String returns the refusal's name, a word such as "no-certificate".
func (r Refusal) String() string {
	if int(r) >= len(refusals) {
		return "refusal-" + strconv.Itoa(int(r))
	}
	return refusals[r]
}

// refusalOf returns why a handshake of TLS failed. Package tls has types for some
// of its errors; TestTLS holds the words of the others fast.
func refusalOf(err error) Refusal {
	var header tls.RecordHeaderError
	var certificate *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.Is(err, errSender):
		return SenderName
	case errors.As(err, &header):
		return NoTLS
	case errors.As(err, &certificate):
		return Certificate
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return HandshakeStall
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return HandshakeCut
	case errors.As(err, &op) && op.Op == "remote error":
		return Alert
	case strings.Contains(err.Error(), "didn't provide a certificate"):
		return NoCertificate
	}
	return NoAgreement
}

// sayEvery is how often connections are logged that were refused for the same
// reason.
const sayEvery = time.Minute

// turnAway counts a connection that came to nothing, and logs it if none was
// logged for the same reason a minute ago. err may be nil.
func (s *Source) turnAway(r Refusal, from net.Addr, err error) {
	n := s.count.turnedAway[r].Add(1)
	if !s.logged[r].due(s.o.Now(), sayEvery) {
		return
	}
	args := []any{"address", s.Addr().String(), "from", from.String(), "cause", r.String(), "so_far", n}
	if err != nil {
		args = append(args, "err", err)
	}
	s.o.Log.Warn("a sender's connection was refused", args...)
}
