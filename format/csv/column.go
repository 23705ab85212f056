package csv

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/trunklog/trunklog/call"
)

// A columnRef is the name of a column, or its number from 1.
type columnRef struct {
	name     string
	position int // 0: the column has a name
	line     int // of the map
}

type columnRefs []columnRef

// read reads the name or position of a column, or a list of these.
func (refs *columnRefs) read(n *yaml.Node) error {
	var list texts
	if err := list.read(n); err != nil {
		return err
	}
	for _, t := range list {
		ref := columnRef{name: t.s, line: t.node.Line}
		if t.node.Tag == "!!int" {
			var err error
			if ref.position, err = strconv.Atoi(t.s); err != nil || ref.position < 1 {
				return mapError(t.node, "column %s: columns are counted from 1", t.s)
			}
		} else if t.s == "" {
			return mapError(t.node, "the name of a column is missing")
		}
		*refs = append(*refs, ref)
	}
	return nil
}

// find returns the places of the columns in a table with the given names; -1 for a missing one
// whose name in the map ends with a question mark.
func (refs columnRefs) find(names []string, headerless bool) (at []int, err error) {
	for _, ref := range refs {
		i := ref.position - 1
		if ref.position == 0 {
			i = indexFold(names, ref.name)
			if name, optional := strings.CutSuffix(ref.name, "?"); i < 0 && optional {
				at = append(at, indexFold(names, name))
				continue
			}
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

// A twin is two columns that share the name which the map uses.
type twin struct {
	name  string
	at    int // the first
	other int
}

// twins returns the columns that share a name with those of refs, which are at the given places. A
// reference by number means one column only.
func (refs columnRefs) twins(names []string, at []int) (all []twin) {
	for i, ref := range refs {
		if ref.position > 0 {
			continue
		}
		for other := at[i] + 1; other < len(names); other++ {
			if indexFold(names[other:other+1], ref.name) == 0 {
				all = append(all, twin{ref.name, at[i], other})
			}
		}
	}
	return all
}

// checkTwins returns an error if columns of one name differ in a record, so that the right value is
// unknown.
func checkTwins(twins []twin, record []string) error {
	for _, t := range twins {
		if field(record, t.at) != field(record, t.other) {
			return fmt.Errorf("%w: columns %d and %d are both named %q, and differ here: let the map name the one that is meant by its place, such as %d", call.ErrInvalid, t.at+1, t.other+1, t.name, t.at+1)
		}
	}
	return nil
}

// indexFold returns the place of name in names, in any case and with any white space around it; -1
// if it is absent.
func indexFold(names []string, name string) int {
	for i, n := range names {
		if strings.EqualFold(strings.TrimSpace(n), strings.TrimSpace(name)) {
			return i
		}
	}
	return -1
}
