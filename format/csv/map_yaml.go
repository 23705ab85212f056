package csv

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/trunklog/trunklog/call"
)

// mapError is an error in the line of the map in which n begins.
func mapError(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%w: map line %d: %s", call.ErrInvalid, n.Line, fmt.Sprintf(format, args...))
}

// resolve returns the target of n if n is an alias, otherwise n.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// A reader reads itself from a node of a map. The library's own decoder gives no line for an error
// inside a node, and ignores null.
type reader interface{ read(n *yaml.Node) error }

// decodeKeys reads the values of a map's keys into the fields of a struct, named by their yaml
// tags. It refuses a key without a field, and one that comes twice.
func decodeKeys(n *yaml.Node, to any) error {
	n = resolve(n)
	v := reflect.ValueOf(to).Elem()
	fields := map[string]any{}
	for i := range v.NumField() {
		fields[v.Type().Field(i).Tag.Get("yaml")] = v.Field(i).Addr().Interface()
	}
	names := slices.Sorted(maps.Keys(fields))
	if n.Kind != yaml.MappingNode {
		return mapError(n, "here must be keys and values; the keys are %s", strings.Join(names, ", "))
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		field, ok := fields[key.Value]
		switch {
		case !ok:
			return mapError(key, "unknown key %q%s", key.Value, suggest(key.Value, names))
		case seen[key.Value]:
			return mapError(key, "key %s is there twice", key.Value)
		}
		seen[key.Value] = true
		if err := decodeKey(key.Value, n.Content[i+1], field); err != nil {
			return err
		}
	}
	return nil
}

func decodeKey(key string, n *yaml.Node, to any) error {
	switch to := to.(type) {
	case reader:
		return to.read(n)
	case **bool:
		if n.Decode(to) != nil || *to == nil {
			return mapError(n, "%s is true or false", key)
		}
		return nil
	case **mapPlan:
		*to = &mapPlan{}
		return decodeKeys(n, *to)
	}
	return decodeKeys(n, to)
}

// A text is a single value, quoted or not, and its place.
type text struct {
	s    string
	node *yaml.Node // nil if the map lacks it
}

func (t *text) given() bool { return t.node != nil }

func (t *text) read(n *yaml.Node) error {
	n = resolve(n)
	if n.Kind != yaml.ScalarNode {
		return mapError(n, "here must be a single value")
	}
	if t.node = n; n.Tag != "!!null" {
		t.s = n.Value
	}
	return nil
}

// texts are a list of values, or a single one.
type texts []text

func (ts *texts) read(n *yaml.Node) error {
	n = resolve(n)
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	for _, n := range nodes {
		var t text
		if err := t.read(n); err != nil {
			return err
		}
		*ts = append(*ts, t)
	}
	return nil
}

// pairs map one value to another.
type pairs map[string]string

func (p *pairs) read(n *yaml.Node) error {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return mapError(n, "values must be pairs, such as ANSWERED: true")
	}
	*p = pairs{}
	for i := 0; i < len(n.Content); i += 2 {
		var key, value text
		if err := key.read(n.Content[i]); err != nil {
			return err
		}
		if err := value.read(n.Content[i+1]); err != nil {
			return err
		}
		if _, twice := (*p)[key.s]; twice {
			return mapError(n.Content[i], "value %q is there twice", key.s)
		}
		(*p)[key.s] = value.s
	}
	return nil
}

// suggest returns " (did you mean …?)" if one of the names resembles the written one, or else
// nothing.
func suggest(written string, names []string) string {
	best, least := "", 1+min(max(2, len(written)/4), 4)
	for _, name := range names {
		if d := call.Distance(strings.ToLower(written), strings.ToLower(name)); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}
