package csv

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/trunklog/trunklog/call"
)

// A columnRef names a column, or counts to it from 1.
type columnRef struct {
	name     string
	position int // 0: the column has a name
	line     int // of the map
}

type columnRefs []columnRef

// parseColumns reads the name or position of a column, or a list of these.
func parseColumns(n *yaml.Node) (columnRefs, error) {
	n = resolve(n)
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	var refs columnRefs
	for _, n := range nodes {
		n = resolve(n)
		s, err := scalarText(n)
		if err != nil {
			return nil, err
		}
		ref := columnRef{name: s, line: n.Line}
		if n.Tag == "!!int" {
			if ref.position, err = strconv.Atoi(s); err != nil || ref.position < 1 {
				return nil, mapError(n, "column %s: columns are counted from 1", s)
			}
		} else if s == "" {
			return nil, mapError(n, "the name of a column is missing")
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// find returns where the columns are in a table that names them as given.
func (refs columnRefs) find(names []string, headerless bool) (at []int, err error) {
	for _, ref := range refs {
		i := ref.position - 1
		if ref.position == 0 {
			i = indexFold(names, ref.name)
		}
		switch {
		case i < 0:
			where := "the header"
			if headerless {
				where = "columns"
			}
			return nil, fmt.Errorf("%w: map line %d: %s does not have %q%s", call.ErrInvalid, ref.line, where, ref.name, suggest(ref.name, names))
		case i >= len(names) && len(names) > 0:
			return nil, fmt.Errorf("%w: map line %d: there is no column %d, only %d", call.ErrInvalid, ref.line, ref.position, len(names))
		}
		at = append(at, i)
	}
	return at, nil
}

// indexFold returns where name is in names, in any case and with any white
// space around it; -1 if it is not.
func indexFold(names []string, name string) int {
	for i, n := range names {
		if strings.EqualFold(strings.TrimSpace(n), strings.TrimSpace(name)) {
			return i
		}
	}
	return -1
}
