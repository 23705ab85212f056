package graph

import (
	"net/http"

	"github.com/trunklog/trunklog/odata"
)

// The scripts that call getDirectRoutingCalls also call getPstnCalls and list the call records, and
// they stop at an error. trunklog keeps neither calls of calling plans nor call records, so it
// answers as Graph does for a tenant that has none.

// pstn answers getPstnCalls. It does not check the values of $filter, $select and $orderby, which
// name properties that only these calls have.
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

// records answers with the collection of call records, which is empty.
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
