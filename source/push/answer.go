package push

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/trunklog/trunklog/call"
)

// An Answer counts the outcomes of a body's records. New, Changed, Same and Open add up to
// Accepted.
type Answer struct {
	Accepted int64     `json:"accepted"` // are durable
	New      int64     `json:"new"`      // were not there
	Changed  int64     `json:"changed"`  // were there and learned something
	Same     int64     `json:"same"`     // were there and learned nothing
	Open     int64     `json:"open"`     // are parts of calls that have not ended
	Rejected int64     `json:"rejected"` // were not taken
	Errors   []Problem `json:"errors"`   // the reasons of the first maxProblems of these
	More     int64     `json:"moreErrors"`
}

// A Problem is the reason why one record was not taken.
type Problem struct {
	Line    int64  `json:"line"` // in the body, counted from 1
	Code    string `json:"code"` // a word for programs
	Message string `json:"message"`
}

// maxProblems is how many bad records an answer lists.
const maxProblems = 100

func (a *Answer) reject(s Sample) {
	a.Rejected++
	if len(a.Errors) >= maxProblems {
		a.More++
		return
	}
	a.Errors = append(a.Errors, Problem{s.Line, s.Cause.code(), s.Reason})
}

// status returns the status of the answer: 207 tells the sender to read the body.
func (a *Answer) status() int {
	if a.Rejected > 0 {
		return http.StatusMultiStatus
	}
	return http.StatusOK
}

// replayed is the header of an answer that repeats an earlier one.
const replayed = "Idempotency-Replayed"

// reply answers the request, or returns the error to answer with. again says that the answer
// repeats an earlier one.
func (x *exchange) reply(again bool) error {
	a := &x.answer
	head := x.w.Header()
	if again {
		head.Set(replayed, "true")
	}
	if a.Accepted == 0 {
		return allBad(a)
	}
	x.h.count.seen.Store(x.h.c.Now().UnixNano())
	if again {
		x.h.count.replayed.Add(1)
	} else {
		x.h.count.accepted.Add(1)
		x.log(a.status())
	}
	if a.Errors == nil {
		a.Errors = []Problem{} // [] rather than null
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(a) // numbers and texts always encode
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(answerTime))
	head.Set("Content-Type", "application/json")
	head.Set("Content-Length", strconv.Itoa(body.Len()))
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Request-Id", call.NewGUID().String())
	x.w.WriteHeader(a.status())
	_, _ = x.w.Write(body.Bytes()) // an error means that the sender is gone
	return nil
}
