package push

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

// An event is one line that tells a part of a call:
//
//	{"event":"partial","call":"KEY","inviteDateTime":"…","callerNumber":"…"}
//	{"event":"partial","call":"KEY","endDateTime":"…","done":true}
//
// or that an SBC has restarted, which ends its open calls:
//
//	{"event":"restart","trunkFullyQualifiedDomainName":"sbc1.contoso.com"}
//
// KEY identifies the call among all that the client delivers. All other properties are those of a
// row, and each line settles the properties that it has and no others. The line with "done" is the
// last one of the call.

// maxCall is the longest KEY, in bytes.
const maxCall = 255

// decodeEvent reads one event. It reads the fields with decode, so that their values may have every
// form that they may have in a row.
func decodeEvent(line []byte, decode call.Decoder, w call.Witness) (e call.Event, err error) {
	line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")))
	var members map[string]json.RawMessage
	if len(line) == 0 || line[0] != '{' || json.Unmarshal(line, &members) != nil || members["event"] == nil {
		return e, fmt.Errorf("%w: an event has to be one JSON object on a line of its own", call.ErrInvalid)
	}
	var kind, key string
	switch err := json.Unmarshal(members["event"], &kind); {
	case err == nil && kind == "restart":
		return decodeRestart(members)
	case err != nil || kind != "partial":
		return e, fmt.Errorf(`%w: the events that are known are "partial" and "restart"`, call.ErrInvalid)
	}
	if json.Unmarshal(members["call"], &key) != nil || !isCall(key) || !utf8.Valid(members["call"]) {
		return e, fmt.Errorf("%w: call is not a text of 1 to %d bytes without control characters", call.ErrInvalid, maxCall)
	}
	done := false
	if d, ok := members["done"]; ok && json.Unmarshal(d, &done) != nil {
		return e, fmt.Errorf("%w: done is neither true nor false", call.ErrInvalid)
	}
	var named [call.NumFields]bool
	for name, value := range members {
		if f, ok := call.FieldNamed(name); ok {
			named[f] = string(value) != "null" && (f != call.FieldStart || isTime(value))
		}
	}
	if e, err = decodeFields(line, decode, named[call.FieldStart]); err != nil {
		return e, err
	}
	settle(&e.Row, named, w)
	e.Kind, e.Call = call.PartEvent, key
	if done {
		e.Kind = call.LastPartEvent
	}
	return e, nil
}

// decodeRestart reads the event of an SBC's restart.
func decodeRestart(members map[string]json.RawMessage) (e call.Event, err error) {
	var trunk string
	if json.Unmarshal(members[call.FieldTrunk.String()], &trunk) != nil || trunk == "" || len(trunk) > call.MaxText {
		return e, fmt.Errorf("%w: a restart has to name the SBC by %s", call.ErrInvalid, call.FieldTrunk)
	}
	e.Kind, e.Row.Trunk = call.RestartEvent, trunk
	return e, nil
}

func isCall(key string) bool {
	if key == "" || len(key) > maxCall {
		return false
	}
	for _, c := range key {
		if unicode.IsControl(c) {
			return false
		}
	}
	return true
}

// noStart is appended to an event's members if it has no start, because a decoder of rows refuses a
// record without any time.
const noStart = `,"startDateTime":"2000-01-01T00:00:00Z"}`

// decodeFields reads the fields of an event as those of a row.
func decodeFields(line []byte, decode call.Decoder, hasStart bool) (call.Event, error) {
	if !hasStart {
		line = append(bytes.Clone(line[:len(line)-1]), noStart...)
	}
	for e, err := range decode(bytes.NewReader(line)) {
		return e, err
	}
	return call.Event{}, fmt.Errorf("%w: there is nothing in the event", call.ErrInvalid)
}

// settle makes w the witness of the fields that the event names, and of no others. A start that the
// event does not name has no witness: it only gives the call a place in the log until the start is
// known.
func settle(r *call.Row, named [call.NumFields]bool, w call.Witness) {
	if !named[call.FieldStart] {
		r.Start = time.Time{}
	}
	r.Seen = 0
	r.Settle(w, false)
	for f := range call.NumFields {
		switch f.Type() {
		case call.Time, call.Number, call.Bool:
			if r.By[f] = 0; named[f] {
				r.By[f] = w
			}
		}
	}
}

// isTime reports whether the value is a time other than the zero time, which means "none".
func isTime(value json.RawMessage) bool {
	var s string
	if json.Unmarshal(value, &s) != nil {
		return false
	}
	t, err := call.ParseTime(s)
	return err == nil && !t.IsZero()
}
