package graph

import (
	"net/http"

	"github.com/trunklog/trunklog/odata"
)

// Two siblings of getDirectRoutingCalls are asked by the same scripts, which stop at
// an error. trunklog keeps neither calls of calling plans nor call records, and
// answers as Graph does to a tenant that has none.

// pstn answers getPstnCalls. Options speak of properties that only these calls
// have, so their values are not looked at.
func (x *exchange) pstn(rt route) error {
	p, _, err := x.frame(rt, odata.ParseStrict)
	if err != nil {
		return err
	}
	p.rowType = "pstnCallLogRow"
	x.h.pstnAsked.Do(func() {
		x.h.conf.Log.Info("getPstnCalls was asked for: trunklog keeps no calls of calling plans, and answers that there are none")
	})
	x.send(http.StatusOK, p.level.contentType(), append(appendHead(nil, p, 0), "]}"...))
	return nil
}

// records answers for the collection of call records.
func (x *exchange) records(rt route) error {
	l, err := acceptedLevel("", x.r.Header)
	if err != nil {
		return err
	}
	b := []byte("{")
	if l != none {
		b = appendText(append(b, `"@odata.context":`...), x.h.conf.Root(x.r)+"/"+rt.version+"/$metadata#communications/callRecords")
		b = append(b, ',')
	}
	x.send(http.StatusOK, l.contentType(), append(b, `"value":[]}`...))
	return nil
}
