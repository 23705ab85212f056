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

// A Refusal is the reason why a connection ended before the source understood any packet from it.
// The set is closed, so that each has a counter in [Stats].
type Refusal uint8

// The reasons of a refusal.
const (
	Crowded        Refusal = iota // too many connections; see the URL's connections
	NoTLS                         // the sender does not speak TLS
	NoCertificate                 // a client's certificate is required, and the sender has shown none
	Certificate                   // the sender's certificate is not from our authorities, or not valid
	Alert                         // the sender sent an alert, often because it does not trust our certificate
	NoAgreement                   // the two share no version or cipher of TLS, or the handshake failed otherwise
	HandshakeStall                // the sender stopped in the middle of the handshake, or never began it
	HandshakeCut                  // the sender closed the connection during the handshake, or at once
	SenderName                    // the sender's certificate is valid, but for none of the names in the URL's sender-name

	numRefusals
)

// NumRefusals is the number of refusals.
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

// refusalOf returns the reason why a TLS handshake failed. Package tls has types for some of its
// errors; TestTLS fails if the texts of the others change.
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

// sayEvery is the shortest time between two lines of the log about refusals for the same reason.
const sayEvery = time.Minute

// turnAway counts a refused connection, and logs it unless it has logged one for the same reason
// within the last minute. err may be nil.
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
