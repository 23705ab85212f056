package graphjson

import (
	"errors"
	"fmt"
)

// A tally counts what an input lacks, and what the decoder left out.
type tally struct {
	links  int // answers whose nextLink is not followed by its page
	cut    int // records with a property that ConvertTo-Json has cut
	others [numFamilies]int
}

// add counts one record, which may be no row.
func (t *tally) add(r *record, err error) {
	if err == nil {
		t.cut += min(r.cut, 1)
		return
	}
	var other *otherError
	if errors.As(err, &other) {
		t.others[other.family]++
	}
}

// say reports the counts, as far as they are not 0.
func (t *tally) say(note func(text string)) {
	for f, n := range t.others {
		if n > 0 {
			note(fmt.Sprintf("%s rejected: %s. Fetch getDirectRoutingCalls instead", count(n), families[f]))
		}
	}
	if t.cut > 0 {
		note(fmt.Sprintf("%s read without a property: %s", count(t.cut), wasCut))
	}
	if t.links > 0 {
		pages := "a page"
		if t.links > 1 {
			pages = fmt.Sprintf("%d pages", t.links)
		}
		note(fmt.Sprintf("more calls exist than the file holds: behind %s with an @odata.nextLink the next one is missing; follow the links until a page has none", pages))
	}
}

func count(n int) string {
	if n == 1 {
		return "1 record was"
	}
	return fmt.Sprintf("%d records were", n)
}
