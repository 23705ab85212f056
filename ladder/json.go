package ladder

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"unicode/utf8"
)

// The JSON form. Its names do not change; later versions may add some. It leaves out unknown
// values.
type jsonCall struct {
	Start    string        `json:"start,omitempty"` // of the first message
	Legs     []jsonLeg     `json:"legs"`
	Messages []jsonMessage `json:"messages"`
}

type jsonLeg struct {
	Leg       string `json:"leg"`
	Microsoft bool   `json:"microsoft"` // it faces Microsoft
	CallID    string `json:"callId,omitempty"`
}

type jsonMessage struct {
	At        string  `json:"at"` // RFC 3339, by the clock of the agent that saw it
	MS        float64 `json:"ms"` // milliseconds since the first message
	Leg       string  `json:"leg"`
	Src       string  `json:"src,omitempty"` // address:port
	Dst       string  `json:"dst,omitempty"`
	Transport string  `json:"transport,omitempty"`
	// A request has a method; a response has a code and, mostly, a phrase.
	Method     string `json:"method,omitempty"`
	Code       int    `json:"code,omitempty"`
	Phrase     string `json:"phrase,omitempty"`
	CallID     string `json:"callId,omitempty"`
	CSeq       uint64 `json:"cseq,omitempty"`
	CSeqMethod string `json:"cseqMethod,omitempty"`
	// The stored message, in base 64 if it is not UTF-8.
	Raw       string `json:"raw,omitempty"`
	RawBase64 []byte `json:"rawBase64,omitempty"`
}

// JSON writes the call as one JSON object: start, legs and messages. A message has at, ms, leg,
// src, dst, transport, method or code and phrase, callId, cseq, cseqMethod and raw. The error is
// that of w.
func (c *Call) JSON(w io.Writer) error {
	rungs := c.rungs()
	out := jsonCall{Legs: make([]jsonLeg, len(c.Legs)), Messages: make([]jsonMessage, len(rungs))}
	if len(rungs) > 0 {
		out.Start = stamp(rungs[0].At)
	}
	ids := c.callIDs(rungs)
	for i, l := range c.Legs {
		out.Legs[i] = jsonLeg{Leg: l.ID.String(), Microsoft: l.Main, CallID: ids[i]}
	}
	for i := range rungs {
		out.Messages[i] = rungs[i].json()
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

func (r *rung) json() jsonMessage {
	m := jsonMessage{
		At: stamp(r.At), MS: r.ms(), Leg: r.Leg.String(), Src: address(r.Src), Dst: address(r.Dst), Transport: r.Transport,
		Method: r.Method, Code: r.Code, Phrase: r.Phrase, CallID: r.CallID, CSeqMethod: r.CSeqMethod,
	}
	m.CSeq = uint64(r.CSeq)
	if utf8.Valid(r.Raw) {
		m.Raw = string(r.Raw)
	} else {
		m.RawBase64 = r.Raw
	}
	return m
}

func address(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return plainAddr(a).String()
}
